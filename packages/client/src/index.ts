export type { Limits } from "./_deadline.ts";
export type { KindNumbers, ProtocolName, SocketKind, SocketTypeName } from "./_kind.ts";
export type { Naming, Through } from "./_through.ts";
export { HttpAgent, HttpsAgent } from "./agents.ts";
export { connect, type ConnectOptions } from "./connect.ts";
export { XSocketError, type XSocketFailure, type XSocketStep } from "./error.ts";
export { fetchVia, type FetchVia } from "./fetch.ts";
export { listen, listenSync, type ListenOptions } from "./listen.ts";
export {
  nodeBind,
  type NodeBindOptions,
  nodeConnect,
  type NodeConnectOptions,
  nodeListen,
  type NodeListenOptions,
} from "./node.ts";
export { OwnedSocket } from "./owned.ts";
export { serve, type ServeExtras, type ServeOptions, serveSync } from "./serve.ts";
export { Session, type SessionOptions } from "./session.ts";
export { udp, type UdpConnectOptions, type UdpExtras, type UdpOptions } from "./udp.ts";
export { xsocket, type XSocketOptions, xsocketSync } from "./xsocket.ts";
