//! How far down the frame of a function was to reach whose own probe faulted.
//!
//! A function whose frame is larger than a page touches each page of it in order before it does anything else, so that
//! it cannot step over a guard. Compilers write these *stack probes* in one of two forms:
//!
//! ```text
//!   sub  rsp, 4096                      sub  rsp, 4096        <-+
//!   mov  qword ptr [rsp], 0             mov  qword ptr [rsp], 0 |
//!   sub  rsp, 4096                      cmp  rsp, r11           |   r11: where the last page begins
//!   mov  qword ptr [rsp], 0             jne  ------------------+
//!   sub  rsp, the rest                  sub  rsp, the rest
//! ```
//!
//! GCC's `-fstack-clash-protection` has the same with `or qword ptr [rsp], 0`. So the code behind the instruction that
//! faulted says where the frame ends. A recursion overflows by a frame like all the others; its probe says where
//! that one ends, which is no help, and no harm either.

/// `mov qword ptr [rsp], 0`, as LLVM probes.
const MOV_PROBE: &[u8] = &[0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0];
/// `or qword ptr [rsp], 0`, as GCC probes.
const OR_PROBE: &[u8] = &[0x48, 0x83, 0x0c, 0x24, 0];
/// `cmp rsp, r11`, and `jne` with a short way back.
const LOOP: &[u8] = &[0x4c, 0x39, 0xdc, 0x75];

/// The lowest address of the frame whose probe is the instruction at the start of `code`, given two registers as they
/// were there; `None` if that is no probe.
pub(crate) fn frame_end(code: &[u8], rsp: usize, r11: usize) -> Option<usize> {
    let mut rest = skip_probe(code)?;
    let mut end = rsp;
    if let Some([_, after @ ..]) = rest.strip_prefix(LOOP) {
        if r11 > rsp {
            return None;
        }
        (end, rest) = (r11, after);
    }
    while let Some((bytes, after)) = subtraction(rest) {
        end = end.checked_sub(bytes)?;
        rest = skip_probe(after).unwrap_or(after);
    }
    Some(end)
}

fn skip_probe(code: &[u8]) -> Option<&[u8]> {
    code.strip_prefix(MOV_PROBE).or_else(|| code.strip_prefix(OR_PROBE))
}

/// What is subtracted from rsp by the instruction at the start of `code`, and the code behind it.
fn subtraction(code: &[u8]) -> Option<(usize, &[u8])> {
    match *code {
        [0x48, 0x83, 0xec, bytes @ ..0x80, ref after @ ..] => Some((bytes.into(), after)),
        [0x48, 0x81, 0xec, a, b, c, d @ ..0x80, ref after @ ..] => {
            Some((u32::from_le_bytes([a, b, c, d]) as usize, after))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSP: usize = 0x10_0000;
    const SUB_PAGE: &[u8] = &[0x48, 0x81, 0xec, 0, 0x10, 0, 0];
    const SUB_0X28: &[u8] = &[0x48, 0x83, 0xec, 0x28];

    #[test]
    fn a_loop_ends_at_r11_and_its_rest() {
        for probe in [MOV_PROBE, OR_PROBE] {
            let code = [probe, LOOP, &[0xec], SUB_0X28, &[0x48, 0x89, 0xfb]].concat();
            assert_eq!(frame_end(&code, RSP, RSP - 0x8000), Some(RSP - 0x8028));
            assert_eq!(frame_end(&code, RSP, RSP + 1), None, "r11 is not the end of this loop");
        }
    }

    #[test]
    fn steps_one_after_the_other_are_added() {
        let code = [MOV_PROBE, SUB_PAGE, MOV_PROBE, SUB_PAGE, MOV_PROBE, SUB_0X28, &[0xc3]].concat();
        assert_eq!(frame_end(&code, RSP, 0), Some(RSP - 0x2028));
        assert_eq!(frame_end(MOV_PROBE, RSP, 0), Some(RSP), "code that is cut off says less");
    }

    #[test]
    fn other_instructions_say_nothing() {
        assert_eq!(frame_end(&[0xe8, 0, 0, 0, 0], RSP, 0), None);
        assert_eq!(frame_end(&[], RSP, 0), None);
    }
}
