/*
 * rpc: the error codes of the control API, which the engine sends and coppicectl turns into exit
 * statuses. Numbers are never reused; those of JSON-RPC 2.0 itself are negative, our own positive
 * (coppicectl(1) lists them).
 */
#ifndef COPPICE_WIRE_RPC_H
#define COPPICE_WIRE_RPC_H

/* X(enumerator, number, meaning) */
#define RPC_ERRORS(X)                                                                  \
	X(RPC_PARSE_ERROR, -32700, "the line is not JSON")                             \
	X(RPC_INVALID_REQUEST, -32600, "the line is JSON but no request")              \
	X(RPC_UNKNOWN_METHOD, -32601, "there is no such method")                       \
	X(RPC_INVALID_PARAMS, -32602, "a parameter is missing, unknown or impossible") \
	X(RPC_INTERNAL, -32603, "the daemon could not answer (memory, descriptors)")   \
	X(RPC_UNKNOWN_PATH, 1, "there is no such node")                                \
	X(RPC_FORBIDDEN, 2, "the caller may read but not change things")               \
	X(RPC_REFUSED, 3, "the node or what is above it is in no state for this")      \
	X(RPC_FAILED, 4, "it was tried and failed (the first attempt to start)")       \
	X(RPC_TIMEOUT, 5, "the timeout ended the waiting; the command goes on")        \
	X(RPC_LEAVING, 6, "the daemon is shutting down")                               \
	X(RPC_TOO_LONG, 7, "the request is over 1 MiB; the connection is closed")      \
	X(RPC_UNSUPPORTED, 8, "this version does not have that method yet")            \
	X(RPC_HOLD, 9, "the daemon holds: only `start /` starts anything")             \
	X(RPC_BUSY, 10, "too many connections, or too slow; the connection is closed") \
	X(RPC_NO_PROCESS, 11, "the node has no process to signal")

#define X(name, number, meaning) name = (number),
enum rpc_error {
	RPC_ERRORS(X)
};
#undef X

#define RPC_MAX_REQUEST (1024U * 1024U) /* bytes of one request line */

#endif
