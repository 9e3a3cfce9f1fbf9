"""Becomes the program given, in a state that few programs are started in.

What is odd: environment (names that are no shell words, bytes that are no text), signal mask,
pending and ignored signals, limits, umask, nice value, open descriptors, flags of the streams.
"""
import fcntl
import os
import resource
import signal
import sys

for name in [name for name in os.environb if name not in (b"PATH", b"HOME", b"TMPDIR")]:
    if not name.startswith(b"XSOCKET_"):
        del os.environb[name]
os.environb.update({
    b"odd-name.with%percent": b"kept",
    b"BASH_FUNC_f%%": b"() {  echo 'a  b'\n}",
    b"latin": b"caf\xe9 \x01\n\ttab 'quote\" \\ $HOME %41 end \n",
    b"EMPTY": b"",
    b"P": b"what PATH and PWD begin with",
    b"LARGE": b"x" * 100_000,
    b"self": b"ours too",
    b"package": b"ours too",
    b"script": b"ours too",
    b"launcher": b"ours too",
    b"directory": b"ours too",
    b"cpu": b"ours too",
    b"difference": b"ours too",
    b"OLDPWD": b"/nowhere",
    b"SHLVL": b"7",
    b"_": b"underscore",
    b"BUN_OPTIONS": b"--preload /nowhere.ts",
    b"BUN_INSPECT": b"unix:///nowhere",
    b"BUN_JSC_useJIT": b"0",
    b"LD_LIBRARY_PATH": b"/nowhere",
})

for number in (signal.SIGUSR1, signal.SIGCHLD, signal.SIGTERM, signal.SIGPWR):
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
os.kill(os.getpid(), signal.SIGUSR1)  # stays pending
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python has them ignored
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)

resource.setrlimit(resource.RLIMIT_NOFILE, (123, 456))
resource.setrlimit(resource.RLIMIT_CORE, (0, 4096))
resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, resource.RLIM_INFINITY))
os.umask(0o137)
os.nice(3)

for number, path, flags in (
    (3, "/proc/version", os.O_RDONLY),
    (4, "/dev/null", os.O_WRONLY | os.O_NONBLOCK),
    (10, "/proc/filesystems", os.O_RDONLY),
    (77, "/dev/zero", os.O_RDWR | os.O_APPEND),
):
    fd = os.open(path, flags)
    os.dup2(fd, number)
    os.set_inheritable(number, True)  # which dup2 leaves as it is where both are the same
    if fd != number:
        os.close(fd)
fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK)
fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) & ~os.O_NONBLOCK)
fcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | os.O_NONBLOCK)

os.execvp(os.fsencode(sys.argv[1]), [os.fsencode(word) for word in sys.argv[1:]])
