/** The transport that `createStorage` hands to its drivers: the core itself sees no HTTP. */
export { openSockets } from "../http/sockets.js";
