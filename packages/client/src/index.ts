export type { Limits } from "./_deadline.ts";
export type { ProtocolName, SocketKind, SocketTypeName } from "./_kind.ts";
export * from "./error.ts";
export * from "./owned.ts";
export { Session, type SessionOptions } from "./session.ts";
export * from "./xsocket.ts";
