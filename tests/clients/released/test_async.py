"""opensearch-py's asynchronous client and its bulk helpers."""

from __future__ import annotations

from opensearchpy import AsyncOpenSearch, helpers


async def test_async_bulk_and_scan(url: str, index_name: str) -> None:
    client = AsyncOpenSearch(url)
    try:
        actions = [{"_index": index_name, "_id": str(number), "n": number} for number in range(25)]
        assert await helpers.async_bulk(client, actions, chunk_size=4, refresh=True) == (25, [])
        again = helpers.async_streaming_bulk(
            client, [{"_op_type": "create", **action} for action in actions], raise_on_error=False
        )
        assert [ok async for ok, _ in again] == [False] * 25
        found = [hit["_id"] async for hit in helpers.async_scan(client, index=index_name, size=4)]
        assert sorted(map(int, found)) == list(range(25))
        answer = await client.search(index=index_name, body={"query": {"range": {"n": {"lt": 3}}}})
        assert answer["hits"]["total"]["value"] == 3
    finally:
        await client.close()
