"""What a page is made of: a walk over its tags that refuses what is not closed or loaded."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br"}
OUTSIDE = ("http:", "https:", "//")


class Page(HTMLParser):
    """Reads a page; collects headings, words, pictures and ids.

    Raises:
        AssertionError: If a tag is closed that is not open, or something is loaded from elsewhere.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.pictures: list[str] = []
        self.words: list[str] = []
        self.headings: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        assert tag not in ("script", "link", "iframe"), f"a page needs no <{tag}>"
        for name, value in known.items():
            assert not (name in ("src", "href") and str(value).startswith(OUTSIDE)), value
        if tag == "img":
            assert known["alt"], "a picture that is not seen needs words"
            self.pictures.append(str(known["src"]))
        if "id" in known:
            self.ids.append(str(known["id"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.words.append(data)
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words).replace("\N{NO-BREAK SPACE}", " ")
