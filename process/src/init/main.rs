//! The entry of the sealed init. Built by the build script, not by cargo.

#![no_std]
#![no_main]
#![allow(dead_code, reason = "the crate uses more of these modules than the init does")]

mod channel;
mod entry;
mod format;
mod hold;
mod machine;
mod operations;
mod place;
mod reaper;
mod sys;
mod target;
mod way;

/// The first code of the process: `stack` is what the kernel put there (`argc`, `argv`, ...). The second
/// argument is the number of the control socket.
///
/// # Safety
///
/// Called once, by the entry code, with the initial stack pointer.
#[unsafe(no_mangle)]
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the kernel lays out argc and argv from the initial stack pointer up, argv ended by a null.
    let control = unsafe { if *stack == 2 { number(*stack.add(2) as *const u8) } else { -1 } };
    match channel::receive_program(control) {
        Ok(program) => machine::run(program, control),
        Err(errno) => machine::fail(control, format::NO_OPERATION, errno),
    }
}

/// A decimal number.
///
/// # Safety
///
/// `text` is a string that ends with a NUL.
unsafe fn number(mut text: *const u8) -> i32 {
    let mut value: i32 = 0;
    // SAFETY: as the caller promises; reading stops at the first byte that is no digit.
    unsafe {
        while (*text).is_ascii_digit() {
            value = value.wrapping_mul(10).wrapping_add(i32::from(*text - b'0'));
            text = text.add(1);
        }
    }
    value
}

/// No code here is meant to panic; if it does, the caller sees that the process ended without a word.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(124)
}
