//! The few eBPF instructions that a device program consists of.

/// A register; those that an instruction here can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Reg {
    /// The result.
    R0 = 0,
    /// The context at the start.
    R1 = 1,
    R2 = 2,
    R3 = 3,
    R4 = 4,
    R5 = 5,
}

/// One instruction, with the layout of the kernel's `struct bpf_insn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Insn {
    pub(super) code: u8,
    /// Two registers, as bit fields: which of them comes first differs with the byte order.
    pub(super) regs: u8,
    pub(super) off: i16,
    pub(super) imm: i32,
}

impl Insn {
    /// `*(u32 *)(src + off)`
    pub(super) const LOAD: u8 = 0x61;
    pub(super) const MOV_REG: u8 = 0xbf;
    pub(super) const MOV: u8 = 0xb7;
    pub(super) const AND: u8 = 0x57;
    pub(super) const SHIFT_RIGHT: u8 = 0x77;
    pub(super) const JUMP: u8 = 0x05;
    pub(super) const JUMP_IF_NOT: u8 = 0x55;
    pub(super) const JUMP_IF_ANY: u8 = 0x45;
    pub(super) const EXIT: u8 = 0x95;

    const fn new(code: u8, dst: Reg, src: Reg, off: i16, imm: i32) -> Self {
        let (dst, src) = (dst as u8, src as u8);
        let regs = if cfg!(target_endian = "little") { dst | src << 4 } else { dst << 4 | src };
        Self { code, regs, off, imm }
    }

    #[cfg(test)]
    pub(super) const fn dst_src(self) -> (u8, u8) {
        let (low, high) = (self.regs & 15, self.regs >> 4);
        if cfg!(target_endian = "little") { (low, high) } else { (high, low) }
    }

    /// Loads 32 bits of the context.
    pub(super) const fn load(dst: Reg, src: Reg, off: i16) -> Self {
        Self::new(Self::LOAD, dst, src, off, 0)
    }

    pub(super) const fn copy(dst: Reg, src: Reg) -> Self {
        Self::new(Self::MOV_REG, dst, src, 0, 0)
    }

    pub(super) const fn set(dst: Reg, imm: i32) -> Self {
        Self::new(Self::MOV, dst, Reg::R0, 0, imm)
    }

    pub(super) const fn and(dst: Reg, imm: i32) -> Self {
        Self::new(Self::AND, dst, Reg::R0, 0, imm)
    }

    pub(super) const fn shift_right(dst: Reg, by: i32) -> Self {
        Self::new(Self::SHIFT_RIGHT, dst, Reg::R0, 0, by)
    }

    /// Jumps over `off` instructions.
    pub(super) const fn jump(off: i16) -> Self {
        Self::new(Self::JUMP, Reg::R0, Reg::R0, off, 0)
    }

    /// Jumps if the register has another value.
    pub(super) const fn jump_if_not(reg: Reg, value: i32, off: i16) -> Self {
        Self::new(Self::JUMP_IF_NOT, reg, Reg::R0, off, value)
    }

    /// Jumps if the register has any of these bits.
    pub(super) const fn jump_if_any(reg: Reg, bits: i32, off: i16) -> Self {
        Self::new(Self::JUMP_IF_ANY, reg, Reg::R0, off, bits)
    }

    pub(super) const fn exit() -> Self {
        Self::new(Self::EXIT, Reg::R0, Reg::R0, 0, 0)
    }
}
