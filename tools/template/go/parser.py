"""The parser of Go templates: tokens become trees, one for the text itself and one for each definition.

Grammar: https://pkg.go.dev/text/template. Errors read `template: name:line: what is wrong`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from pyconsul.tools.template.go import nodes
from pyconsul.tools.template.go.errors import GoError, Source, TemplateError
from pyconsul.tools.template.go.lexer import Kind, Token, tokens
from pyconsul.tools.template.go.literals import parse_number
from pyconsul.tools.template.go.quote import quote, unquote

_OPERAND_KINDS = frozenset(
    (
        Kind.BOOL,
        Kind.CHAR_CONSTANT,
        Kind.COMPLEX,
        Kind.DOT,
        Kind.FIELD,
        Kind.IDENTIFIER,
        Kind.NUMBER,
        Kind.RAW_STRING,
        Kind.STRING,
        Kind.VARIABLE,
        Kind.LEFT_PAREN,
    )
)
_LITERALS = (nodes.Bool, nodes.Dot, nodes.Nil, nodes.Numeral, nodes.String)
_MAX_DEPTH = 1000  # of nested parentheses and of nested blocks; keeps Python's stack safe

Body = tuple[nodes.Statement, ...]


def parse(name: str, text: str, left: str, right: str, functions: Collection[str]) -> dict[str, nodes.Tree]:
    """All trees of a template, by name; `name` itself is always there.

    `left`, `right`: the delimiters, "" for `{{` and `}}`. `functions`: every name that may be called.
    Raises TemplateError.
    """
    parser = _Parser(name, text, left, right, functions)
    parser.trees[name] = nodes.Tree(name, parser.source)
    parser.add(name, parser.top_level())
    return parser.trees


class _Parser:
    def __init__(self, name: str, text: str, left: str, right: str, functions: Collection[str]) -> None:
        self.source = Source(name, text)
        self.functions = functions
        plain = frozenset(word for word in ("break", "continue") if word in functions)
        self.tokens = tokens(text, left, right, plain)
        self.at = 0
        self.trees: dict[str, nodes.Tree] = {}
        self.variables = ["$"]
        self.range_depth = 0
        self.depth = 0
        self.action_line = 0

    # Tokens

    def next(self) -> Token:
        """The next token; past the end, the last one again."""
        token = self.tokens[min(self.at, len(self.tokens) - 1)]
        self.at += 1
        return token

    def peek(self) -> Token:
        return self.tokens[min(self.at, len(self.tokens) - 1)]

    def skip_space(self) -> None:
        while self.peek().kind is Kind.SPACE:
            self.at += 1

    def next_word(self) -> Token:
        self.skip_space()
        return self.next()

    def peek_word(self) -> Token:
        self.skip_space()
        return self.peek()

    def fail(self, message: str) -> NoReturn:
        line = self.tokens[min(max(self.at - 1, 0), len(self.tokens) - 1)].line
        raise TemplateError(f"template: {self.source.name}:{line}: {message}")

    def unexpected(self, token: Token, context: str) -> NoReturn:
        if token.kind is not Kind.ERROR:
            self.fail(f"unexpected {token.shown()} in {context}")
        started = ""
        if self.action_line and self.action_line != token.line:
            started = f" in action started at {self.source.name}:{self.action_line}"
            if token.value.endswith(" action"):
                started = started.removeprefix(" in action")
        self.fail(token.value + started)

    def expect_end(self, context: str) -> Token:
        token = self.next_word()
        if token.kind is not Kind.RIGHT:
            self.unexpected(token, context)
        return token

    # Statements

    def top_level(self) -> Body:
        body: list[nodes.Statement] = []
        while self.peek().kind is not Kind.EOF:
            if self.define_follows():
                self.definition()
                continue
            statement = self.statement()
            if isinstance(statement, Token):
                self.fail(f"unexpected {{{{{statement.value}}}}}")
            body.append(statement)
        return tuple(body)

    def define_follows(self) -> bool:
        if self.peek().kind is not Kind.LEFT:
            return False
        start = self.at
        self.at += 1
        if self.next_word().is_keyword("define"):
            return True
        self.at = start
        return False

    def definition(self) -> None:
        name = self.template_name("define clause")
        self.expect_end("define clause")
        self.add(name, self.closed_body("define clause"))

    def closed_body(self, context: str) -> Body:
        """The body of a definition: it has variables of its own and ends with `{{end}}`."""
        outer, self.variables = self.variables, ["$"]
        outer_ranges, self.range_depth = self.range_depth, 0
        body, end = self.body()
        if end.value != "end":
            self.fail(f"unexpected {{{{{end.value}}}}} in {context}")
        self.variables, self.range_depth = outer, outer_ranges
        return body

    def add(self, name: str, body: Body) -> None:
        tree = nodes.Tree(name, self.source, body)
        known = self.trees.get(name)
        if known is None or known.empty:
            self.trees[name] = tree
        elif not tree.empty:
            self.fail(f"template: multiple definition of template {quote(name)}")

    def template_name(self, context: str) -> str:
        token = self.next_word()
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            self.unexpected(token, context)
        return self.text_of(token)

    def text_of(self, token: Token) -> str:
        try:
            return unquote(token.value)
        except GoError as error:
            self.fail(str(error))

    def body(self) -> tuple[Body, Token]:
        """Statements up to `{{end}}` or `{{else}}`, which is returned too."""
        statements: list[nodes.Statement] = []
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self.fail("blocks are nested too deeply")
        while True:
            if self.peek_word().kind is Kind.EOF:
                self.at += 1
                self.fail("unexpected EOF")
            statement = self.statement()
            if isinstance(statement, Token):
                self.depth -= 1
                return tuple(statements), statement
            statements.append(statement)

    def statement(self) -> nodes.Statement | Token:
        """A text or an action; the keyword's token for an `end` or `else`."""
        token = self.next_word()
        if token.kind is Kind.TEXT:
            return nodes.Text(token.position, token.value)
        if token.kind is not Kind.LEFT:
            self.unexpected(token, "input")
        self.action_line = token.line
        statement = self.action()
        self.action_line = 0
        return statement

    def action(self) -> nodes.Statement | Token:
        token = self.peek_word()
        if token.kind is not Kind.KEYWORD or token.value in ("nil", "define"):
            return nodes.Action(token.position, self.pipeline("command", Kind.RIGHT))
        self.at += 1
        if token.value in ("if", "with", "range"):
            return self.branch(token.value)
        if token.value in ("break", "continue"):
            return self.jump(token)
        if token.value == "end":
            self.expect_end("end")
            return token
        if token.value == "else":
            if not any(self.peek_word().is_keyword(word) for word in ("if", "with")):
                self.expect_end("else")
            return token
        return self.block() if token.value == "block" else self.call()

    def jump(self, token: Token) -> nodes.Jump:
        following = self.next_word()
        if following.kind is not Kind.RIGHT:
            self.unexpected(following, f"{{{{{token.value}}}}}")
        if not self.range_depth:
            self.fail(f"{{{{{token.value}}}}} outside {{{{range}}}}")
        return nodes.Jump(token.position, token.value)

    def branch(self, keyword: str) -> nodes.Branch:
        scope = len(self.variables)
        pipe = self.pipeline(keyword, Kind.RIGHT)
        self.range_depth += keyword == "range"
        body, end = self.body()
        self.range_depth -= keyword == "range"
        otherwise = self.otherwise(keyword) if end.value == "else" else None
        del self.variables[scope:]
        return nodes.Branch(pipe.position, keyword, pipe, body, otherwise)

    def otherwise(self, keyword: str) -> Body:
        if keyword != "range" and self.peek().is_keyword(keyword):
            self.at += 1
            self.depth += 1  # a long chain of `else if` nests, too
            nested = self.branch(keyword)
            self.depth -= 1
            return (nested,)
        body, end = self.body()
        if end.value != "end":
            self.fail(f"expected end; found {{{{{end.value}}}}}")
        return body

    def block(self) -> nodes.Call:
        self.skip_space()
        position = self.peek().position
        name = self.template_name("block clause")
        pipe = self.pipeline("block clause", Kind.RIGHT)
        self.add(name, self.closed_body("block clause"))
        return nodes.Call(position, name, pipe)

    def call(self) -> nodes.Call:
        self.skip_space()
        position = self.peek().position
        name = self.template_name("template clause")
        if self.peek_word().kind is Kind.RIGHT:
            self.at += 1
            return nodes.Call(position, name, None)
        return nodes.Call(position, name, self.pipeline("template clause", Kind.RIGHT))

    # Pipelines

    def pipeline(self, context: str, end: Kind) -> nodes.Pipe:
        position = self.peek_word().position
        variables, assigns = self.declarations(context)
        commands: list[nodes.Command] = []
        while True:
            token = self.next_word()
            if token.kind is end:
                break
            if token.kind not in _OPERAND_KINDS and not token.is_keyword("nil"):
                self.unexpected(token, context)
            self.at -= 1
            commands.append(self.command())
        if not commands:
            self.fail(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.operands[0], _LITERALS):
                self.fail(f"non executable command in pipeline stage {stage}")
        return nodes.Pipe(position, tuple(commands), tuple(variables), assigns)

    def declarations(self, context: str) -> tuple[list[nodes.Variable], bool]:
        """The variables before `:=` or `=` (True)."""
        variables: list[nodes.Variable] = []
        while self.peek_word().kind is Kind.VARIABLE:
            start = self.at
            token = self.next()
            following = self.peek_word()
            if following.kind in (Kind.ASSIGN, Kind.DECLARE):
                self.at += 1
                variables.append(self.declare(token))
                return variables, following.kind is Kind.ASSIGN
            if following.kind is not Kind.CHAR or following.value != ",":
                self.at = start
                break
            self.at += 1
            variables.append(self.declare(token))
            if context != "range" or len(variables) > 1:
                self.fail(f"too many declarations in {context}")
            if self.peek_word().kind not in (Kind.VARIABLE, Kind.RIGHT, Kind.RIGHT_PAREN):
                self.fail("range can only initialize variables")
        return variables, False

    def declare(self, token: Token) -> nodes.Variable:
        self.variables.append(token.value)
        return nodes.Variable(token.position, token.value)

    def command(self) -> nodes.Command:
        position = self.peek_word().position
        operands: list[nodes.Operand] = []
        while True:
            self.skip_space()
            operand = self.operand()
            if operand is not None:
                operands.append(operand)
            token = self.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT, Kind.RIGHT_PAREN):
                self.at -= 1
            elif token.kind is not Kind.PIPE:
                self.unexpected(token, "operand")
            break
        if not operands:
            self.fail("empty command")
        return nodes.Command(position, tuple(operands))

    def operand(self) -> nodes.Operand | None:
        """A term and the fields that follow it at once; None when there is no term."""
        term = self.term()
        if term is None or self.peek().kind is not Kind.FIELD:
            return term
        position = self.peek().position
        names: list[str] = []
        while self.peek().kind is Kind.FIELD:
            names.append(self.next().value[1:])
        if isinstance(term, nodes.Field):
            return nodes.Field(position, (*term.names, *names))
        if isinstance(term, nodes.Variable):
            return nodes.Variable(position, term.name, (*term.fields, *names))
        if isinstance(term, _LITERALS):
            self.fail(f"unexpected . after term {quote(str(term))}")
        return nodes.Chain(position, term, tuple(names))

    def term(self) -> nodes.Operand | None:
        token = self.next_word()
        if token.kind is Kind.IDENTIFIER:
            if token.value not in self.functions:
                self.fail(f"function {quote(token.value)} not defined")
            return nodes.Identifier(token.position, token.value)
        if token.kind is Kind.VARIABLE:
            if token.value not in self.variables:
                self.fail(f"undefined variable {quote(token.value)}")
            return nodes.Variable(token.position, token.value)
        if token.kind is Kind.LEFT_PAREN:
            return self.parenthesized()
        if token.kind is Kind.DOT:
            return nodes.Dot(token.position)
        if token.kind is Kind.FIELD:
            return nodes.Field(token.position, (token.value[1:],))
        if token.is_keyword("nil"):
            return nodes.Nil(token.position)
        literal = self.literal(token)
        if literal is None:
            self.at -= 1
        return literal

    def literal(self, token: Token) -> nodes.Operand | None:
        if token.kind is Kind.BOOL:
            return nodes.Bool(token.position, token.value == "true")
        if token.kind in (Kind.STRING, Kind.RAW_STRING):
            return nodes.String(token.position, token.value, self.text_of(token))
        if token.kind in (Kind.NUMBER, Kind.CHAR_CONSTANT, Kind.COMPLEX):
            try:
                return nodes.Numeral(token.position, token.value, parse_number(token.kind, token.value))
            except GoError as error:
                self.fail(str(error))
        return None

    def parenthesized(self) -> nodes.Pipe:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self.fail("max expression depth exceeded")
        pipe = self.pipeline("parenthesized pipeline", Kind.RIGHT_PAREN)
        self.depth -= 1
        return pipe
