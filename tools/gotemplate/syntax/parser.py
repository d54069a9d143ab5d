"""The parser of Go templates: tokens become trees, one for the text itself and one for each definition.

Grammar: https://pkg.go.dev/text/template. Errors read `template: name:line: what is wrong`.
"""

from __future__ import annotations

from collections.abc import Collection

from pyconsul.tools.gotemplate.syntax import nodes
from pyconsul.tools.gotemplate.syntax.lexer import Kind, Token, tokens
from pyconsul.tools.gotemplate.syntax.pipeline_parser import Pipelines
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.syntax.source_location import SourceText
from pyconsul.tools.gotemplate.syntax.token_stream import Stream

Body = tuple[nodes.Statement, ...]


def parse(name: str, text: str, left: str, right: str, functions: Collection[str]) -> dict[str, nodes.Tree]:
    """Return all trees of a template, by name; `name` itself is always there.

    `left`, `right`: the delimiters, "" for `{{` and `}}`. `functions`: every name that may be called.
    Raises TemplateError.
    """
    parser = _Parser(name, text, left, right, functions)
    parser.trees[name] = nodes.Tree(name, parser.source)
    parser.add(name, parser.top_level())
    return parser.trees


class _Parser:
    def __init__(self, name: str, text: str, left: str, right: str, functions: Collection[str]) -> None:
        self.source = SourceText(name, text)
        plain = frozenset(word for word in ("break", "continue") if word in functions)
        self.stream = Stream(self.source, tokens(text, left, right, plain))
        self.pipelines = Pipelines(self.stream, functions)
        self.trees: dict[str, nodes.Tree] = {}
        self.range_depth = 0

    def top_level(self) -> Body:
        body: list[nodes.Statement] = []
        while self.stream.peek().kind is not Kind.EOF:
            if self.define_follows():
                self.definition()
                continue
            statement = self.statement()
            if isinstance(statement, Token):
                self.stream.fail(f"unexpected {{{{{statement.value}}}}}")
            body.append(statement)
        return tuple(body)

    def define_follows(self) -> bool:
        if self.stream.peek().kind is not Kind.LEFT:
            return False
        start = self.stream.at
        self.stream.at += 1
        if self.stream.next_word().is_keyword("define"):
            return True
        self.stream.at = start
        return False

    def definition(self) -> None:
        name = self.template_name("define clause")
        self.stream.expect_end("define clause")
        self.add(name, self.closed_body("define clause"))

    def closed_body(self, context: str) -> Body:
        """Return the body of a definition: it has separate variables and ends with `{{end}}`."""
        outer, self.pipelines.variables = self.pipelines.variables, ["$"]
        outer_ranges, self.range_depth = self.range_depth, 0
        body, end = self.body()
        if end.value != "end":
            self.stream.fail(f"unexpected {{{{{end.value}}}}} in {context}")
        self.pipelines.variables, self.range_depth = outer, outer_ranges
        return body

    def add(self, name: str, body: Body) -> None:
        tree = nodes.Tree(name, self.source, body)
        known = self.trees.get(name)
        if known is None or known.empty:
            self.trees[name] = tree
        elif not tree.empty:
            self.stream.fail(f"template: multiple definition of template {quote(name)}")

    def template_name(self, context: str) -> str:
        token = self.stream.next_word()
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            self.stream.unexpected(token, context)
        return self.stream.text_of(token)

    def body(self) -> tuple[Body, Token]:
        """Statements up to `{{end}}` or `{{else}}`, which is returned too."""
        statements: list[nodes.Statement] = []
        self.stream.enter("blocks are nested too deeply")
        while True:
            if self.stream.peek_word().kind is Kind.EOF:
                self.stream.at += 1
                self.stream.fail("unexpected EOF")
            statement = self.statement()
            if isinstance(statement, Token):
                self.stream.leave()
                return tuple(statements), statement
            statements.append(statement)

    def statement(self) -> nodes.Statement | Token:
        """Return a text or an action; the keyword's token for an `end` or `else`."""
        token = self.stream.next_word()
        if token.kind is Kind.TEXT:
            return nodes.Text(token.position, token.value)
        if token.kind is not Kind.LEFT:
            self.stream.unexpected(token, "input")
        self.stream.action_line = token.line
        statement = self.action()
        self.stream.action_line = 0
        return statement

    def action(self) -> nodes.Statement | Token:
        token = self.stream.peek_word()
        if token.kind is not Kind.KEYWORD or token.value in ("nil", "define"):
            return nodes.Action(token.position, self.pipelines.pipeline("command", Kind.RIGHT))
        self.stream.at += 1
        if token.value in ("if", "with", "range"):
            return self.branch(token.value)
        if token.value in ("break", "continue"):
            return self.jump(token)
        if token.value == "end":
            self.stream.expect_end("end")
            return token
        if token.value == "else":
            if not any(self.stream.peek_word().is_keyword(word) for word in ("if", "with")):
                self.stream.expect_end("else")
            return token
        return self.block() if token.value == "block" else self.call()

    def jump(self, token: Token) -> nodes.Jump:
        following = self.stream.next_word()
        if following.kind is not Kind.RIGHT:
            self.stream.unexpected(following, f"{{{{{token.value}}}}}")
        if not self.range_depth:
            self.stream.fail(f"{{{{{token.value}}}}} outside {{{{range}}}}")
        return nodes.Jump(token.position, token.value)

    def branch(self, keyword: str) -> nodes.Branch:
        scope = len(self.pipelines.variables)
        pipe = self.pipelines.pipeline(keyword, Kind.RIGHT)
        self.range_depth += keyword == "range"
        body, end = self.body()
        self.range_depth -= keyword == "range"
        otherwise = self.otherwise(keyword) if end.value == "else" else None
        del self.pipelines.variables[scope:]
        return nodes.Branch(pipe.position, keyword, pipe, body, otherwise)

    def otherwise(self, keyword: str) -> Body:
        if keyword != "range" and self.stream.peek().is_keyword(keyword):
            self.stream.at += 1
            self.stream.enter("blocks are nested too deeply")  # a long chain of `else if` nests, too
            nested = self.branch(keyword)
            self.stream.leave()
            return (nested,)
        body, end = self.body()
        if end.value != "end":
            self.stream.fail(f"expected end; found {{{{{end.value}}}}}")
        return body

    def block(self) -> nodes.Call:
        self.stream.skip_space()
        position = self.stream.peek().position
        name = self.template_name("block clause")
        pipe = self.pipelines.pipeline("block clause", Kind.RIGHT)
        self.add(name, self.closed_body("block clause"))
        return nodes.Call(position, name, pipe)

    def call(self) -> nodes.Call:
        self.stream.skip_space()
        position = self.stream.peek().position
        name = self.template_name("template clause")
        if self.stream.peek_word().kind is Kind.RIGHT:
            self.stream.at += 1
            return nodes.Call(position, name, None)
        return nodes.Call(position, name, self.pipelines.pipeline("template clause", Kind.RIGHT))
