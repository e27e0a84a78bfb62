use super::*;
use std::mem::offset_of;

/// The kernel's header, where it is installed.
fn header() -> Option<String> {
    let header = std::fs::read_to_string("/usr/include/linux/bpf.h");
    header.inspect_err(|e| println!("skipped: /usr/include/linux/bpf.h: {e}")).ok()
}

fn without_comments(text: &str) -> String {
    let mut parts = text.split("/*");
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.map(|part| part.split_once("*/").map_or("", |part| part.1)).collect::<String>()
}

/// The position of a name in an enum that counts up from zero.
fn position(header: &str, name: &str, value: &str) -> usize {
    let body = header.split_once(&format!("enum {name} {{")).unwrap().1.split_once('}').unwrap().0;
    let body = without_comments(body);
    // Those with a value are second names.
    let mut names = body.split(',').map(str::trim).filter(|entry| !entry.contains('='));
    names.position(|name| name == value).unwrap()
}

/// Names and offsets of the members of the structure that a marker leads to.
fn members(header: &str, marker: &str) -> Vec<(String, usize)> {
    let text = without_comments(header.split_once(marker).unwrap().1);
    let (mut members, mut end, mut union) = (Vec::new(), 0_usize, None);
    for line in text.lines().map(str::trim) {
        let mut words = line.trim_end_matches(';').split_ascii_whitespace();
        let (size, align) = match words.next() {
            Some("__u32") => (4, 4),
            Some("__aligned_u64" | "__u64") => (8, 8),
            Some("__u8") => (8, 1),
            Some("char") => (NAME, 1),
            Some("union") => {
                union = Some(end);
                continue;
            }
            Some(word) if word.starts_with('}') => match union.take() {
                Some(_) => continue,
                None => break,
            },
            _ => continue,
        };
        let name = words.next().unwrap_or_default();
        let at = union.unwrap_or(end).next_multiple_of(align);
        members.push((name.split('[').next().unwrap_or_default().to_owned(), at));
        end = end.max(at + size);
    }
    members
}

#[test]
fn the_numbers_are_those_of_the_kernels_header() {
    let Some(header) = header() else { return };
    for (name, value, ours) in [
        ("bpf_cmd", "BPF_PROG_LOAD", PROG_LOAD.cast_unsigned()),
        ("bpf_cmd", "BPF_PROG_ATTACH", PROG_ATTACH.cast_unsigned()),
        ("bpf_cmd", "BPF_PROG_DETACH", PROG_DETACH.cast_unsigned()),
        ("bpf_cmd", "BPF_PROG_GET_FD_BY_ID", PROG_GET_FD_BY_ID.cast_unsigned()),
        ("bpf_cmd", "BPF_OBJ_GET_INFO_BY_FD", OBJ_GET_INFO_BY_FD.cast_unsigned()),
        ("bpf_prog_type", "BPF_PROG_TYPE_CGROUP_DEVICE", TYPE_CGROUP_DEVICE),
        ("bpf_attach_type", "BPF_CGROUP_DEVICE", ATTACH_CGROUP_DEVICE),
    ] {
        assert_eq!(u32::try_from(position(&header, name, value)).unwrap(), ours, "{value}");
    }
    for line in ["BPF_F_ALLOW_MULTI\t(1U << 1)", "BPF_F_REPLACE\t\t(1U << 2)", "BPF_OBJ_NAME_LEN 16U"] {
        assert!(header.contains(line), "{line}");
    }
}

macro_rules! offsets {
    ($kind:ty: $($member:ident $(as $name:literal)?),*) => {
        vec![$((offsets!(@ $member $($name)?).to_owned(), offset_of!($kind, $member))),*]
    };
    (@ $member:ident) => { stringify!($member) };
    (@ $member:ident $name:literal) => { $name };
}

#[test]
fn the_layouts_are_those_of_the_kernels_header() {
    let Some(header) = header() else { return };
    let check = |marker: &str, ours: Vec<(String, usize)>| {
        let kernels = members(&header, marker);
        for (name, offset) in ours {
            let found = kernels.iter().find(|member| member.0 == name);
            assert_eq!(found, Some(&(name, offset)), "{marker}");
        }
    };
    let load = offsets!(Load: prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, prog_flags, prog_name);
    check("used by BPF_PROG_LOAD command */", load);
    let attach = offsets!(Attach: target_fd, attach_bpf_fd, attach_type, attach_flags, replace_bpf_fd);
    check("used by BPF_PROG_ATTACH/DETACH commands */", attach);
    check("used by BPF_*_GET_*_ID */", offsets!(ById: prog_id, next_id, open_flags));
    check("used by BPF_OBJ_GET_INFO_BY_FD */", offsets!(GetInfo: bpf_fd, info_len, info));
    let query = offsets!(Query: target_fd, attach_type, query_flags, attach_flags, prog_ids, prog_cnt);
    check("used by BPF_PROG_QUERY command */", query);
    check("struct bpf_prog_info {", offsets!(Info: kind as "type", id, tag, created_by_uid, map_ids, name));
    assert_eq!((size_of::<Insn>(), size_of::<Info>()), (8, 80));
}
