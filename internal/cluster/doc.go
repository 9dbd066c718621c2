// Package cluster starts a Ceph cluster for tests, and makes it fail: whole nodes, single gateways,
// and the network between them and their clients. The script .ci/ceph does what concerns daemons.
//
// Its tests with the build tag ceph run the workloads of package workload on such a cluster.
package cluster
