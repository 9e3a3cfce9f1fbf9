/* What ./dev installs of what is missing. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { here, isContained, isRoot, tempDir, type TempDir } from "../harness/index.ts";
import { BUILDER, BUILDING, checkout } from "./checkout.ts";

/* The programs of a machine without ninja, but for those below the first argument, which come last. */
const WITHOUT_NINJA = `
cd "$1"
ln -s /usr/bin/* bin
rm -f bin/ninja bin/sudo bin/sleep
ln -s /bin/true bin/sleep
cp --remove-destination programs/* bin
mount --bind bin /usr/sbin
mount -t tmpfs etc /etc
mkdir -p /etc/systemd/system/multi-user.target.wants /etc/rc2.d
ln -s unit /etc/systemd/system/multi-user.target.wants/old.service
PATH=$1/bin "$2" build
code=$?
find /etc -type l | sort
exit $code`;

/* Runs ./dev on such a machine, where nothing else is in /etc, and a Bun that builds nothing is there. */
function withoutNinja(dir: TempDir, programs: Readonly<Record<string, string>>) {
  const root = checkout(dir);
  for (const name of ["bin", "programs"]) mkdirSync(dir.join(name));
  for (const [name, text] of Object.entries({ bun: BUILDER, ...programs }))
    writeFileSync(dir.join(`programs/${name}`), text, { mode: 0o755 });
  const unshare = ["unshare", "--mount", "--propagation=private"];
  return here.run([...unshare, "sh", "-c", WITHOUT_NINJA, "sh", dir.path, join(root, "dev")], {
    withinMs: 150_000,
    env: { XDG_CACHE_HOME: dir.path },
  });
}

/* An apt-get whose first install finds no lists, and whose first update finds them locked by another. */
const LOCKED = `#!/bin/sh
for word; do case $word in update | install) break ;; esac; done
echo "$word" >>"\${0%/*}/calls"
case $(tr '\\n' ' ' <"\${0%/*}/calls") in
"install ") exit 100 ;;
"install update ")
	echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)" >&2
	exit 100
	;;
"install update update install ") ln -s /bin/true "\${0%/*}/ninja" ;;
esac
`;

const INSTALLING = "dev: installing ninja-build\n";

test.if(isRoot && !isContained)("./dev waits for another apt that fetches the lists", async () => {
  using dir = tempDir();
  const { code, stderr } = await withoutNinja(dir, { "apt-get": LOCKED });
  expect({ code, stderr }).toEqual({ code: 0, stderr: INSTALLING + BUILDING });
  expect(readFileSync(dir.join("bin/calls"), "utf8").split("\n")).toEqual([
    "install",
    "update",
    "update",
    "install",
    "",
  ]);
});

test.if(isRoot && !isContained)("what apt says is shown if it cannot install", async () => {
  using dir = tempDir();
  const apt =
    '#!/bin/sh\nfor word; do case $word in update | install) echo "no $word" >&2; esac; done\nexit 100\n';
  const { code, stderr } = await withoutNinja(dir, { "apt-get": apt });
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `${INSTALLING}no install\nno update\ndev: apt-get could not install: ninja-build\n`,
  });
});

/* Another user, as far as ./dev can see. */
const ID = "#!/bin/sh\necho 54321\n";

test.if(isRoot && !isContained)(
  "without root and sudo the missing packages are named",
  async () => {
    using dir = tempDir();
    const { code, stderr } = await withoutNinja(dir, { id: ID });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        "dev: these packages are missing, and installing them needs root or sudo: run apt-get install ninja-build\n",
    });
  },
);

/* An apt-get whose package has a service, which starts at once if it may, and with the machine. */
const WITH_SERVICE = `#!/bin/sh
echo "$*" >"\${0%/*}/call"
policy-rc.d
echo $? >"\${0%/*}/policy"
ln -s unit /etc/systemd/system/multi-user.target.wants/new.service
ln -s ../init.d/new /etc/rc2.d/S01new
ln -s /bin/true "\${0%/*}/ninja"
`;
const SUDO_CALLED = `#!/bin/sh
[ "$1" != -n ] || shift
echo "$1" >>"\${0%/*}/called"
exec "$@"
`;

test.if(isRoot && !isContained)(
  "packages are installed by sudo, and their services are not started, now or with the machine",
  async () => {
    using dir = tempDir();
    const sudo = SUDO_CALLED;
    const result = await withoutNinja(dir, { id: ID, sudo, "apt-get": WITH_SERVICE });
    expect(result).toEqual({
      code: 0,
      stdout: "/etc/rc2.d/K01new\n/etc/systemd/system/multi-user.target.wants/old.service\n",
      stderr: INSTALLING + BUILDING,
    });
    const text = (name: string) => readFileSync(dir.join(`bin/${name}`), "utf8");
    expect(text("policy")).toBe("101\n");
    expect(existsSync(dir.join("bin/policy-rc.d"))).toBe(false);
    expect(text("call")).toContain(" --no-remove --no-install-recommends ninja-build");
    expect(text("called")).toMatch(/^env$/m);
  },
);
