//! Runs a device program as the kernel would: an interpreter of the instructions that are made here, which checks
//! what the verifier checks of them.

use super::Access;
use super::insn::Insn;

/// What the program says to an access.
pub(super) fn run(program: &[Insn], kind: i32, access: Access, major: u32, minor: u32) -> bool {
    run_raw(program, [u32::from(access.bits()) << 16 | kind.cast_unsigned(), major, minor])
}

/// What the program says to a context.
pub(super) fn run_raw(program: &[Insn], context: [u32; 3]) -> bool {
    let mut regs = [None; 11];
    let mut at = 0;
    loop {
        let insn = program[at];
        let (dst, src) = (usize::from(insn.dst_src().0), usize::from(insn.dst_src().1));
        let imm = i64::from(insn.imm).cast_unsigned();
        // There is no way back, so each run ends.
        let over = usize::try_from(insn.off).expect("a jump backwards");
        let value = || regs[dst].expect("a register is read that was never written");
        let mut skip = 0;
        match insn.code {
            Insn::LOAD => {
                assert_eq!((src, over % 4), (1, 0), "a load from elsewhere than the context");
                regs[dst] = Some(u64::from(context[over / 4]));
            }
            Insn::MOV_REG => regs[dst] = Some(regs[src].expect("a register is read that was never written")),
            Insn::MOV => regs[dst] = Some(imm),
            Insn::AND => regs[dst] = Some(value() & imm),
            Insn::SHIFT_RIGHT => regs[dst] = Some(value() >> imm),
            Insn::JUMP => skip = over,
            Insn::JUMP_IF_NOT if value() != imm => skip = over,
            Insn::JUMP_IF_ANY if value() & imm != 0 => skip = over,
            Insn::JUMP_IF_NOT | Insn::JUMP_IF_ANY => {}
            Insn::EXIT => {
                return match regs[0] {
                    Some(0) => false,
                    Some(1) => true,
                    other => panic!("the result {other:?}"),
                };
            }
            code => panic!("the unknown instruction {code:#x}"),
        }
        at += 1 + skip;
    }
}
