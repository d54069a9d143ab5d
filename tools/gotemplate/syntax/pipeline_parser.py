"""The parser of pipelines: what stands in an action after its keyword."""

from __future__ import annotations

from collections.abc import Collection

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.syntax import nodes
from pyconsul.tools.gotemplate.syntax.lexer import Kind, Token
from pyconsul.tools.gotemplate.syntax.literals import parse_number
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.syntax.token_stream import Stream

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


class Pipelines:
    """Parses pipelines; knows the functions and the variables declared so far."""

    def __init__(self, stream: Stream, functions: Collection[str]) -> None:
        self.stream = stream
        self.functions = functions
        self.variables = ["$"]

    def pipeline(self, context: str, end: Kind) -> nodes.Pipe:
        """Return a pipeline and the token that ends it. `context`: what it is part of, for complaints."""
        position = self.stream.peek_word().position
        variables, assigns = self.declarations(context)
        commands: list[nodes.Command] = []
        while True:
            token = self.stream.next_word()
            if token.kind is end:
                break
            if token.kind not in _OPERAND_KINDS and not token.is_keyword("nil"):
                self.stream.unexpected(token, context)
            self.stream.at -= 1
            commands.append(self.command())
        if not commands:
            self.stream.fail(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.operands[0], _LITERALS):
                self.stream.fail(f"non executable command in pipeline stage {stage}")
        return nodes.Pipe(position, tuple(commands), tuple(variables), assigns)

    def declarations(self, context: str) -> tuple[list[nodes.Variable], bool]:
        """Return the variables before `:=` or `=` (True)."""
        variables: list[nodes.Variable] = []
        while self.stream.peek_word().kind is Kind.VARIABLE:
            start = self.stream.at
            token = self.stream.next()
            following = self.stream.peek_word()
            if following.kind in (Kind.ASSIGN, Kind.DECLARE):
                self.stream.at += 1
                variables.append(self.declare(token))
                return variables, following.kind is Kind.ASSIGN
            if following.kind is not Kind.CHAR or following.value != ",":
                self.stream.at = start
                break
            self.stream.at += 1
            variables.append(self.declare(token))
            if context != "range" or len(variables) > 1:
                self.stream.fail(f"too many declarations in {context}")
            if self.stream.peek_word().kind not in (Kind.VARIABLE, Kind.RIGHT, Kind.RIGHT_PAREN):
                self.stream.fail("range can only initialize variables")
        return variables, False

    def declare(self, token: Token) -> nodes.Variable:
        self.variables.append(token.value)
        return nodes.Variable(token.position, token.value)

    def command(self) -> nodes.Command:
        position = self.stream.peek_word().position
        operands: list[nodes.Operand] = []
        while True:
            self.stream.skip_space()
            operand = self.operand()
            if operand is not None:
                operands.append(operand)
            token = self.stream.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT, Kind.RIGHT_PAREN):
                self.stream.at -= 1
            elif token.kind is not Kind.PIPE:
                self.stream.unexpected(token, "operand")
            break
        if not operands:
            self.stream.fail("empty command")
        return nodes.Command(position, tuple(operands))

    def operand(self) -> nodes.Operand | None:
        """Return a term and the fields that follow it at once; None without a term."""
        term = self.term()
        if term is None or self.stream.peek().kind is not Kind.FIELD:
            return term
        position = self.stream.peek().position
        names: list[str] = []
        while self.stream.peek().kind is Kind.FIELD:
            names.append(self.stream.next().value[1:])
        if isinstance(term, nodes.Field):
            return nodes.Field(position, (*term.names, *names))
        if isinstance(term, nodes.Variable):
            return nodes.Variable(position, term.name, (*term.fields, *names))
        if isinstance(term, _LITERALS):
            self.stream.fail(f"unexpected . after term {quote(str(term))}")
        return nodes.Chain(position, term, tuple(names))

    def term(self) -> nodes.Operand | None:
        token = self.stream.next_word()
        if token.kind is Kind.IDENTIFIER:
            if token.value not in self.functions:
                self.stream.fail(f"function {quote(token.value)} not defined")
            return nodes.Identifier(token.position, token.value)
        if token.kind is Kind.VARIABLE:
            if token.value not in self.variables:
                self.stream.fail(f"undefined variable {quote(token.value)}")
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
            self.stream.at -= 1
        return literal

    def literal(self, token: Token) -> nodes.Operand | None:
        if token.kind is Kind.BOOL:
            return nodes.Bool(token.position, token.value == "true")
        if token.kind in (Kind.STRING, Kind.RAW_STRING):
            return nodes.String(token.position, token.value, self.stream.text_of(token))
        if token.kind in (Kind.NUMBER, Kind.CHAR_CONSTANT, Kind.COMPLEX):
            try:
                return nodes.Numeral(token.position, token.value, parse_number(token.value))
            except GoError as error:
                self.stream.fail(str(error))
        return None

    def parenthesized(self) -> nodes.Pipe:
        self.stream.enter("max expression depth exceeded")
        pipe = self.pipeline("parenthesized pipeline", Kind.RIGHT_PAREN)
        self.stream.leave()
        return pipe
