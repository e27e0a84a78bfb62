//! A machine for classic BPF as the kernel runs it on `struct seccomp_data`. What the kernel would refuse is a failure.

use cofferdam_seccomp::{Architecture, Instruction};

/// A call, as a filter sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub architecture: u32,
    pub number: u32,
    pub arguments: [u64; 6],
    pub big_endian: bool,
}

impl Call {
    pub fn new(architecture: Architecture, number: u32, arguments: [u64; 6]) -> Self {
        let big_endian = architecture.is_big_endian();
        Self { architecture: architecture.audit_number(), number, arguments, big_endian }
    }

    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.architecture,
            16..64 if offset.is_multiple_of(4) => {
                let argument = self.arguments[((offset - 16) / 8) as usize];
                let first = (offset - 16).is_multiple_of(8);
                let bytes = argument.to_be_bytes();
                let half = if first == self.big_endian { &bytes[..4] } else { &bytes[4..] };
                u32::from_be_bytes(half.try_into().expect("half of eight bytes"))
            }
            _ => panic!("load at {offset}"),
        }
    }
}

/// What a filter returns for a call, and after how many instructions.
pub fn run(filter: &[Instruction], call: &Call) -> (u32, usize) {
    assert!(filter.len() <= 4096);
    let (mut accumulator, mut at, mut steps) = (0_u32, 0_usize, 0_usize);
    loop {
        let Instruction { code, jt, jf, k } = filter[at];
        steps += 1;
        at += 1;
        let mut skip = |holds: bool| at += usize::from(if holds { jt } else { jf });
        match code {
            0x20 => accumulator = call.word(k),
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => skip(accumulator == k),
            0x25 => skip(accumulator > k),
            0x35 => skip(accumulator >= k),
            0x45 => skip(accumulator & k != 0),
            0x06 => return (k, steps),
            _ => panic!("instruction {code:#x}"),
        }
    }
}
