export { ActivationError } from "./activation.ts";
export * from "./ask.ts";
export { CWD_FD, findIdentity, type Identity, type Successor } from "./drop.ts";
export {
  escapeJson,
  escapeText,
  LOG_LEVELS,
  type LogFields,
  type LogFormat,
  type LogLevel,
} from "./log.ts";
export * from "./log-to.ts";
export * from "./metrics.ts";
export * from "./run.ts";
