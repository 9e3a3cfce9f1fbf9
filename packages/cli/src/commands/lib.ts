import { libraryPath } from "@xsocket/xbind-native";
import { command } from "../command.ts";
import { MisuseError } from "../errors.ts";
import { result } from "../words.ts";

const NAMES = ["xbind", "xsocket"] as const;

export default command({
  meta: { description: "Print the absolute path of one of the native libraries" },
  args: {
    name: {
      type: "positional",
      valueHint: NAMES.join("|"),
      description: "xbind, to be preloaded, or xsocket, to be linked",
    },
  },
  execute(given) {
    const name = NAMES.find((known) => known === given.name);
    if (name === undefined)
      throw new MisuseError(
        `${given.name === undefined ? "no library is named" : `there is no library "${given.name}"`}: say "xsocket lib xbind" or "xsocket lib xsocket"`,
      );
    result(libraryPath(name));
  },
});
