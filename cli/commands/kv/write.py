"""`pyconsul kv put` and `kv delete`.

The API: https://developer.hashicorp.com/consul/api-docs/kv#create-update-key
"""

from __future__ import annotations

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import switch, text, unsigned
from pyconsul.cli.commands.kv.get import key_argument
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
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
    if (args[_ACQUIRE] or args[_RELEASE]) and not args[_SESSION]:
        raise UsageError("Error! Missing -session (required with -acquire and -release)")
    if args[_CAS]:
        condition, done, refused = "cas", "Data written to", f"Did not write to {key}: CAS failed"
    elif args[_ACQUIRE]:
        condition, done, refused = "acquire", "Lock acquired on", "Did not acquire lock"
    elif args[_RELEASE]:
        condition, done, refused = "release", "Lock released on", "Did not release lock"
    else:
        condition, done, refused = "", "Data written to", f"Did not write to {key}"
    query = {"flags": str(args[_FLAGS])} if args[_FLAGS] else {}
    if condition:
        query[condition] = str(args[_MODIFY_INDEX]) if condition == "cas" else args[_SESSION]
    try:
        written = context.client.request("PUT", "/v1/kv/" + quote(key), query, value).checked()
    except CliError as error:
        raise during(f"Error! Failed writing data to {key}", error) from None
    if written.body.strip() == b"false":
        raise CliError(f"Error! {refused}", Status.CONFLICT)
    confirm(context, f"Success! {done}: {key}", {"Key": key, "Written": True})


def _value(context: Context) -> bytes:
    data = context.read_source(context.args.rest[1]) if len(context.args.rest) == 2 else b""
    if not context.args[_BASE64]:
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
    index = args[_MODIFY_INDEX]
    if not key and not args[_RECURSE]:
        raise UsageError("Error! Missing KEY argument")
    if args[_CAS] and args[_RECURSE]:
        raise UsageError("Cannot specify both -cas and -recurse!")
    if args[_CAS] and not index:
        raise UsageError("Cannot delete a key that does not exist. Provide a -modify-index greater than 0.")
    if index and not args[_CAS]:
        raise UsageError("Cannot specify -modify-index without -cas!")
    query = {"recurse": ""} if args[_RECURSE] else {"cas": str(index)} if index else {}
    if args[_PURGE]:
        query["purge"] = ""
    try:
        deleted = context.client.request("DELETE", "/v1/kv/" + quote(key), query).checked()
    except CliError as error:
        raise during(f"Error! Did not delete {key}", error) from None
    if deleted.body.strip() == b"false":
        raise CliError(f"Error! Did not delete key {key}: CAS failed", Status.CONFLICT)
    if args[_PURGE] and "x-pyconsul-purged" not in deleted.headers:
        context.note("This agent is not pyconsul: earlier values may remain in its Raft log and snapshots.")
    done = "Purged" if args[_PURGE] else "Deleted"
    what = f"{done} keys with prefix" if args[_RECURSE] else f"{done} key"
    confirm(context, f"Success! {what}: {key}".rstrip(), {"Key": key, "Deleted": True})


_MODIFY_INDEX = unsigned("modify-index", "Expected ModifyIndex of the key, for -cas.")
_CAS = switch("cas", "Write only if the key has the ModifyIndex of -modify-index; 0 means that it must not exist.")
_FLAGS = unsigned("flags", "Number to store with the key; Consul does not interpret it.")
_BASE64 = switch("base64", "The data is in base64.")
_SESSION = text("session", "The session for -acquire and -release.", metavar="id")
_ACQUIRE = switch("acquire", "Acquire the lock on the key, which is created when necessary.")
_RELEASE = switch("release", "Release the lock on the key.")
_DELETE_CAS = switch("cas", "Delete only if the key has the ModifyIndex of -modify-index.")
_RECURSE = switch("recurse", "Delete every key that begins with the prefix.")
_PURGE = switch("purge", "Also delete the history, including that of deleted keys; a rollback becomes impossible.")
COMMANDS = {
    "kv put": Command(
        put,
        _CAS,
        _FLAGS,
        _BASE64,
        _MODIFY_INDEX,
        _SESSION,
        _ACQUIRE,
        _RELEASE,
        format_flag(),
        usage="KEY [DATA]",
        about="DATA is taken as it is, from a file with @path, or from standard input with -; "
        "without DATA the value is empty.",
    ),
    "kv delete": Command(
        delete,
        _DELETE_CAS,
        _MODIFY_INDEX,
        _RECURSE,
        _PURGE,
        format_flag(),
        usage="KEY_OR_PREFIX",
    ),
}
