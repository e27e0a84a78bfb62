# shellcheck shell=bash
# File systems, modules, swap and cgroups of the guest. Sourced by `start`.

mount_all() {
    local number
    mount -t sysfs sysfs /sys
    mount -t devtmpfs dev /dev
    mkdir -p /dev/pts /dev/shm /dev/mqueue
    mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
    mount -t tmpfs -o mode=1777 shm /dev/shm
    mount -t mqueue mqueue /dev/mqueue
    ln -sf /proc/self/fd /dev/fd
    ln -sf fd/0 /dev/stdin
    ln -sf fd/1 /dev/stdout
    ln -sf fd/2 /dev/stderr
    mount -t tmpfs -o mode=755 run /run
    mkdir -p -m 1777 /run/tmp /run/lock
    mount -t securityfs securityfs /sys/kernel/security
    mount -t bpf bpf /sys/fs/bpf
    mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
    for number in "${!mounts[@]}"; do
        mkdir -p "${mounts[number]}"
        mount -t virtiofs "share$number" "${mounts[number]}"
    done
    ip link set lo up 2>/dev/null || busybox ifconfig lo up
}

# The kernel has been started with one alone.
start_processors() {
    local switch
    for switch in /sys/devices/system/cpu/cpu*/online; do
        [[ ! -e $switch ]] || echo 1 >"$switch"
    done
}

# Block devices to limit, of which a machine like this has none of its own, and the classifier of `net_cls`.
load_modules() {
    local module
    for module in loop 'null_blk nr_devices=1' zram cls_cgroup; do
        # Which modules there are is the kernel's business; who needs one will notice.
        # shellcheck disable=SC2086 # a name and its parameters
        modprobe $module || echo "vm: no module $module" >/dev/kmsg
    done
}

# Swap in compressed memory, and some huge pages.
make_swap() {
    if [[ -e /sys/block/zram0/disksize ]]; then
        echo 256M >/sys/block/zram0/disksize
        busybox mkswap /dev/zram0 >/dev/null
        busybox swapon /dev/zram0
    fi
    echo 16 >/proc/sys/vm/nr_hugepages
}

# Each controller that the kernel has, for the cgroups below the root.
enable_controllers() {
    local controller
    for controller in $(</sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
    done
}
