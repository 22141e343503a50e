package main

import (
	"os"
	"strconv"
	"syscall"
)

// init asks the kernel to kill this process when its parent dies, however that happens, so that an integration test killed
// with SIGKILL leaves no API server behind. KRAKE_HOOKS_CLUSTER_PARENT is the parent's pid: the parent may already be gone by now,
// and then nobody would ever send that signal. It is done in init because the request belongs to the calling thread, and
// only the main thread, which init runs on, is sure to live as long as the process.
//
// The kernel also means the parent's *thread*: Node.js starts its children from its main thread, which lives as long as it
// does. A worker thread (worker_threads) that starts a control plane takes it along when it ends.
func init() {
	parent, err := strconv.Atoi(os.Getenv("KRAKE_HOOKS_CLUSTER_PARENT"))
	if err != nil {
		return
	}
	const prSetPdeathsig = 1
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetPdeathsig, uintptr(syscall.SIGKILL), 0)
	if errno != 0 || os.Getppid() != parent {
		os.Exit(1)
	}
}
