import type { ArgsDef } from "citty";
import { command } from "../command.ts";
import { bashScript } from "../completions/bash.ts";
import { fishScript } from "../completions/fish.ts";
import { entries, type Entry } from "../completions/model.ts";
import { zshScript } from "../completions/zsh.ts";
import { MisuseError } from "../errors.ts";
import { result } from "../words.ts";

const SCRIPTS = new Map<string, (all: readonly Entry[]) => string>([
  ["bash", bashScript],
  ["fish", fishScript],
  ["zsh", zshScript],
]);
const SHELLS = [...SCRIPTS.keys()];

const args = {
  shell: {
    type: "positional",
    valueHint: SHELLS.join("|"),
    description: `The shell: ${SHELLS.join(", ")}`,
  },
} as const satisfies ArgsDef;

export default command({
  meta: { description: "Print this command's completions for a shell" },
  args,
  async execute({ shell }) {
    const script = shell === undefined ? undefined : SCRIPTS.get(shell);
    if (script === undefined)
      throw new MisuseError(
        `${shell === undefined ? "no shell is named" : `there are no completions for "${shell}"`}: say one of ${SHELLS.join(", ")}, as in "xsocket completions bash"`,
      );
    result(script(await entries()));
  },
});
