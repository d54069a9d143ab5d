"""`pyconsul kv put` and `kv delete`.

The API: https://developer.hashicorp.com/consul/api-docs/kv#create-update-key
"""

from __future__ import annotations

from pyconsul.agent.common.http_answer import quote
from pyconsul.cli.commands.kv.get import key_argument
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.flags.flag import switch, text, unsigned
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, format_flag


def put(context: Context) -> None:
    """Write one value, if asked under a condition. Raises CliError when it was not written."""
    args = context.args
    if not args.rest:
        raise UsageError("Error! Missing KEY argument")
    if len(args.rest) > 2:
        raise UsageError(f"Error! Too many arguments (expected 1 or 2, got {len(args.rest)})")
    key = args.rest[0]
    if key.startswith("/"):
        raise UsageError(f"Error! Invalid key. Key must not begin with a '/': {key}")
    value = _value(context)
    if (args.switch("acquire") or args.switch("release")) and not args.text("session"):
        raise UsageError("Error! Missing -session (required with -acquire and -release)")
    if args.switch("cas"):
        condition, done, refused = "cas", "Data written to", f"Did not write to {key}: CAS failed"
    elif args.switch("acquire"):
        condition, done, refused = "acquire", "Lock acquired on", "Did not acquire lock"
    elif args.switch("release"):
        condition, done, refused = "release", "Lock released on", "Did not release lock"
    else:
        condition, done, refused = "", "Data written to", f"Did not write to {key}"
    query = {"flags": str(args.number("flags"))} if args.number("flags") else {}
    if condition:
        query[condition] = str(args.number("modify-index")) if condition == "cas" else args.text("session")
    try:
        written = context.client.request("PUT", "/v1/kv/" + quote(key), query, value).checked()
    except CliError as error:
        raise during(f"Error! Failed writing data to {key}", error) from None
    if written.body.strip() == b"false":
        raise CliError(f"Error! {refused}", Status.CONFLICT)
    confirm(context, f"Success! {done}: {key}", {"Key": key, "Written": True})


def _value(context: Context) -> bytes:
    data = context.read_source(context.args.rest[1]) if len(context.args.rest) == 2 else b""
    if not context.args.switch("base64"):
        return data
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(data.replace(b"\n", b"").replace(b"\r", b""), strict_mode=True)
    except Error as error:  # the key is written nevertheless, empty: scripts rely on the exit code
        context.note(f"Error! Cannot base 64 decode data: {error}")
        return b""


def delete(context: Context) -> None:
    """Delete one key, or all below a prefix. Raises CliError when nothing was deleted."""
    args = context.args
    key = key_argument(args.rest)
    index = args.number("modify-index")
    if not key and not args.switch("recurse"):
        raise UsageError("Error! Missing KEY argument")
    if args.switch("cas") and args.switch("recurse"):
        raise UsageError("Cannot specify both -cas and -recurse!")
    if args.switch("cas") and not index:
        raise UsageError("Cannot delete a key that does not exist. Provide a -modify-index greater than 0.")
    if index and not args.switch("cas"):
        raise UsageError("Cannot specify -modify-index without -cas!")
    query = {"recurse": ""} if args.switch("recurse") else {"cas": str(index)} if index else {}
    if args.switch("purge"):
        query["purge"] = ""
    try:
        deleted = context.client.request("DELETE", "/v1/kv/" + quote(key), query).checked()
    except CliError as error:
        raise during(f"Error! Did not delete {key}", error) from None
    if deleted.body.strip() == b"false":
        raise CliError(f"Error! Did not delete key {key}: CAS failed", Status.CONFLICT)
    if args.switch("purge") and "x-pyconsul-purged" not in deleted.headers:
        context.note("This agent is not pyconsul: earlier values may remain in its Raft log and snapshots.")
    done = "Purged" if args.switch("purge") else "Deleted"
    what = f"{done} keys with prefix" if args.switch("recurse") else f"{done} key"
    confirm(context, f"Success! {what}: {key}".rstrip(), {"Key": key, "Deleted": True})


_MODIFY_INDEX = unsigned("modify-index", "The ModifyIndex the key must still have; for -cas.")
COMMANDS = {
    "kv put": Command(
        put,
        switch("cas", "Write only if the key has the ModifyIndex of -modify-index; 0 means that it must not exist."),
        unsigned("flags", "A number to keep with the key; Consul does not read it."),
        switch("base64", "The data is in base64."),
        _MODIFY_INDEX,
        text("session", "The session for -acquire and -release.", metavar="id"),
        switch("acquire", "Take the lock on the key; it is created if need be."),
        switch("release", "Give the lock on the key back."),
        format_flag(),
        usage="KEY [DATA]",
        about="DATA is taken as it is, from a file with @path, or from standard input with -; "
        "without DATA the value is empty.",
    ),
    "kv delete": Command(
        delete,
        switch("cas", "Delete only if the key has the ModifyIndex of -modify-index."),
        _MODIFY_INDEX,
        switch("recurse", "Delete every key that begins with the prefix."),
        switch("purge", "Also delete the history, of keys that were deleted before, too; nothing can be rolled back."),
        format_flag(),
        usage="KEY_OR_PREFIX",
    ),
}
