/** Where the web servers of web.ts listen, in a namespace of their own. */
export const PORTS = {
  plain: 4080,
  other: 4081,
  secure: 4443,
  /** Servers that answer every request with these bytes, and then close, by name. */
  raw: {
    trailers: 4100,
    hints: 4101,
    "no length": 4102,
    "HTTP/1.0": 4103,
    nothing: 4104,
  } as Readonly<Record<string, number>>,
};
