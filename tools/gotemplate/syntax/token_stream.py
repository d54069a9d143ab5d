"""The tokens of a template as its parser takes them, and the parser's complaints."""

from __future__ import annotations

from typing import NoReturn

from pyconsul.tools.gotemplate.errors import GoError, TemplateError
from pyconsul.tools.gotemplate.syntax.lexer import Kind, Token
from pyconsul.tools.gotemplate.syntax.quote import unquote
from pyconsul.tools.gotemplate.syntax.source_location import SourceText

MAX_DEPTH = 1000  # of nested parentheses and of nested blocks; Go's own limit for parentheses is 10,000


class Stream:
    """Tokens, one after the other. `at` may be set back; past the end the last token comes again."""

    def __init__(self, source: SourceText, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.action_line = 0  # where the action being parsed started

    def next(self) -> Token:
        """Return the next token, which is taken."""
        token = self.tokens[min(self.at, len(self.tokens) - 1)]
        self.at += 1
        return token

    def peek(self) -> Token:
        """Return the next token, which stays."""
        return self.tokens[min(self.at, len(self.tokens) - 1)]

    def skip_space(self) -> None:
        """Take blanks."""
        while self.peek().kind is Kind.SPACE:
            self.at += 1

    def next_word(self) -> Token:
        """Skip blanks, and consume and return the next token."""
        self.skip_space()
        return self.next()

    def peek_word(self) -> Token:
        """Skip blanks and return the next token without consuming it."""
        self.skip_space()
        return self.peek()

    def fail(self, message: str) -> NoReturn:
        """Raise TemplateError with the location of the token taken last."""
        token = self.tokens[min(max(self.at - 1, 0), len(self.tokens) - 1)]
        raise TemplateError(f"template: {self.source.location(token.position)}: {message}")

    def unexpected(self, token: Token, context: str) -> NoReturn:
        """Complain about a token that cannot stand there."""
        if token.kind is not Kind.ERROR:
            self.fail(f"unexpected {token.shown()} in {context}")
        started = ""
        if self.action_line and self.action_line != token.line:
            started = f" in action started at {self.source.name}:{self.action_line}"
            if token.value.endswith(" action"):
                started = started.removeprefix(" in action")
        self.fail(token.value + started)

    def expect_end(self, context: str) -> Token:
        """Return the end of the action, taken."""
        token = self.next_word()
        if token.kind is not Kind.RIGHT:
            self.unexpected(token, context)
        return token

    def text_of(self, token: Token) -> str:
        """Return the text of a string literal."""
        try:
            return unquote(token.value)
        except GoError as error:
            self.fail(str(error))

    def enter(self, complaint: str) -> None:
        """Go one level deeper; `leave` follows."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(complaint)

    def leave(self) -> None:
        """Come back from a level."""
        self.depth -= 1
