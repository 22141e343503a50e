package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func init() {
	programs["kubelet"] = component(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) })
	programs["kube-proxy"] = component(proxy.NewProxyCommand)
	programs["node-init"] = nodeInit
}

// nodeInit is the first process of the node's namespaces. While it lives they live; when it is killed, the kernel kills every
// process in its PID namespace and so frees the mounts and interfaces, whatever state they are in. All it has to do is what
// the kernel expects of a first process: reap the children of those that died before them.
func nodeInit() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "node-init: I only run as the first process of a PID namespace")
		os.Exit(2)
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for range children {
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}
