# shellcheck shell=bash
# machine.sh: makes the namespaces that a script runs in a machine of its own: an empty /run, and copies
# of /usr/local and /etc that are gone afterwards. To be sourced, with patience=SECONDS set.
ip link set lo up
mount -t tmpfs run /run
mount -t tmpfs scratch /mnt
for directory in usr/local etc; do
	mkdir -p "/mnt/$directory/upper" "/mnt/$directory/work"
	mount -t overlay -o "lowerdir=/$directory,upperdir=/mnt/$directory/upper,workdir=/mnt/$directory/work" \
		overlay "/$directory"
done
: "${patience:?}"
until_true() {
	for _ in $(seq $((patience * 10))); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	echo "after $patience s not yet: $*" >&2
	exit 1
}
listens() { ss -tln | grep -q ":$1 "; }
