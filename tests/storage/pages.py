"""How tests read what comes in pages."""


def all_pages(read, limit):
    """Call ``read(limit=, cursor=)`` page by page; return all items. Each page but the last is full."""
    items, cursor = [], None
    while True:
        page = read(limit=limit, cursor=cursor)
        assert len(page.items) == limit if page.next else len(page.items) <= limit
        items += page.items
        if (cursor := page.next) is None:
            return items
