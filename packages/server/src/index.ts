export * from "./bounds.ts";
export * from "./error.ts";
export * from "./log.ts";
export * from "./options.ts";
export * from "./policy/index.ts";
export * from "./server.ts";
export * from "./service/index.ts";
export * from "./signals.ts";
