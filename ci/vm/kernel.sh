# shellcheck shell=bash
# The tools, and the kernel: a Debian package, unpacked once into the cache. Sourced by `run`.

# Sets `virtiofsd`; names the package of what is missing.
find_tools() {
    local pair path
    for pair in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static modprobe:kmod depmod:kmod xz:xz-utils \
        apt-get:apt dpkg-deb:dpkg flock:util-linux setpriv:util-linux setsid:util-linux; do
        command -v "${pair%%:*}" >/dev/null || die "no ${pair%%:*}: install ${pair#*:}"
    done
    virtiofsd=''
    # A part of qemu up to Debian 12, a package of its own since.
    for path in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd /usr/lib/virtiofsd; do
        [[ -x $path ]] && virtiofsd=$path && break
    done
    [[ -n $virtiofsd ]] || die "no virtiofsd: install virtiofsd"
    unshare --mount true 2>/dev/null || die "no mount namespaces can be made here"
    # The guest starts with it.
    [[ -x /bin/busybox ]] || die "no /bin/busybox: install busybox-static"
}

# The package to take if none was named: Debian's own has another version in each release.
kernel_package() {
    local name
    for name in linux-image-6.12-cloud-amd64 linux-image-cloud-amd64; do
        if apt-cache show "$name" >/dev/null 2>&1; then
            printf '%s' "$name"
            return
        fi
    done
    return 1
}

# Sets `kernel`: a directory with `vmlinuz`, `lib/modules`, and in `early` what is loaded first. Unpacked under a lock, and put in place by
# a rename. To have a newer version of it, remove the directory.
find_kernel() {
    local lock
    [[ -n $package ]] || package=$(cached_package) || exit
    kernel=$cache/$package
    [[ ! -d $kernel ]] || return 0
    exec {lock}>"$cache/lock"
    flock "$lock"
    [[ -d $kernel ]] || unpack_kernel
    exec {lock}>&-
}

# What is unpacked already needs no package lists.
cached_package() {
    local name=linux-image-6.12-cloud-amd64
    if [[ -d $cache/$name ]]; then
        printf '%s' "$name"
    else
        kernel_package || { apt-get -qq update >&2 && kernel_package; } || die "apt knows no kernel"
    fi
}

unpack_kernel() {
    local real new
    real=$(apt-cache depends "$package" | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    new=$(mktemp -d "$cache/new.XXXXXX")
    # A metapackage depends on the kernel.
    if ! (cd "$new" && apt-get -qq -o APT::Sandbox::User=root download "${real:-$package}" && unpack ./*.deb) >&2; then
        rm -rf "$new"
        die "the kernel ${real:-$package} cannot be had"
    fi
    chmod 755 "$new"
    mv "$new" "$kernel"
}

unpack() {
    local release
    dpkg-deb -x "$1" . && rm "$1" && mv boot/vmlinuz-* vmlinuz || return
    release=$(ls lib/modules)
    depmod -b . "$release" && mkdir early || return
    # What the guest needs to see the host's files, and to answer. Much of it may be built in.
    modprobe -d . -S "$release" --show-depends --all virtio_pci virtiofs overlay virtio_console virtio_rng |
        awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | early_modules
}

# Reads names of modules in the order of their dependencies; some releases compress them.
early_modules() {
    local path name number=100
    while read -r path; do
        name=early/$((number++))-$(basename "${path%.xz}")
        if [[ $path == *.xz ]]; then xz -dc "$path"; else cat "$path"; fi >"$name" || return
    done
}
