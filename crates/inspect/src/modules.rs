//! The unwind tables of everything that is loaded, of the program and its libraries, copied while the loader holds its
//! list.

use core::ffi::{CStr, c_int, c_void};
use core::ops::Range;
use framehop::{ExplicitModuleSectionInfo, Module, Unwinder as _};
use libc::{Elf64_Phdr, dl_phdr_info};

/// What unwinds, over copies of the tables.
pub(crate) type Unwinder = framehop::UnwinderNative<Vec<u8>, framehop::MayAllocateDuringUnwind>;

/// Bytes of code and the tables that tell how to unwind it.
struct Loaded {
    name: String,
    /// The address to which it was moved.
    base: u64,
    code: Range<u64>,
    header: (Range<u64>, Vec<u8>),
    frames: (Range<u64>, Vec<u8>),
}

/// An unwinder for what is loaded at this moment.
pub(crate) fn unwinder() -> Unwinder {
    let mut all: Vec<Loaded> = Vec::new();
    // SAFETY: the callback is of the right type, and gets the list that lives over the call.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut all).cast()) };
    let mut unwinder = Unwinder::new();
    for loaded in all {
        let sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            eh_frame_hdr_svma: Some(loaded.header.0),
            eh_frame_hdr: Some(loaded.header.1),
            eh_frame_svma: Some(loaded.frames.0),
            eh_frame: Some(loaded.frames.1),
            ..ExplicitModuleSectionInfo::default()
        };
        unwinder.add_module(Module::new(loaded.name, loaded.code, loaded.base, sections));
    }
    unwinder
}

/// Adds one module, if it has tables.
unsafe extern "C" fn add(info: *mut dl_phdr_info, _size: usize, all: *mut c_void) -> c_int {
    // SAFETY: `unwinder` passes it, and nobody else has it.
    let all = unsafe { &mut *all.cast::<Vec<Loaded>>() };
    // SAFETY: the loader gives a valid description, and keeps the module loaded meanwhile.
    all.extend(unsafe { describe(&*info) });
    0
}

/// # Safety
/// The loader's description of a module that stays loaded over the call.
unsafe fn describe(info: &dl_phdr_info) -> Option<Loaded> {
    // SAFETY: the loader's own table.
    let headers = unsafe { core::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let base = info.dlpi_addr;
    let segment = |header: &Elf64_Phdr| header.p_vaddr..header.p_vaddr + header.p_memsz;
    let loads = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let code = loads().filter(|header| header.p_flags & libc::PF_X != 0).map(segment);
    let code = code.reduce(|all, next| all.start.min(next.start)..all.end.max(next.end))?;
    let header = headers.iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME).map(segment)?;
    // SAFETY: a part of a loaded segment.
    let header_bytes = unsafe { bytes(base, &header) };
    let frames_at = frames_address(&header, header_bytes)?;
    let around = loads().map(segment).find(|segment| segment.contains(&frames_at))?;
    let frames = frames_at..around.end;
    let name = if info.dlpi_name.is_null() {
        String::new()
    } else {
        // SAFETY: the loader's own string.
        unsafe { CStr::from_ptr(info.dlpi_name) }.to_string_lossy().into_owned()
    };
    Some(Loaded {
        name,
        base,
        code: code.start + base..code.end + base,
        header: (header.clone(), header_bytes.to_vec()),
        // SAFETY: as above.
        frames: (frames.clone(), unsafe { bytes(base, &frames) }.to_vec()),
    })
}

/// # Safety
/// A readable part of a loaded segment that stays so while the result is used.
unsafe fn bytes<'a>(base: u64, part: &Range<u64>) -> &'a [u8] {
    let start = core::ptr::with_exposed_provenance((base + part.start) as usize);
    // SAFETY: the caller says so.
    unsafe { core::slice::from_raw_parts(start, (part.end - part.start) as usize) }
}

/// Where `.eh_frame` begins, as its header says: 32 bits, relative to where they stand, as every linker writes them.
fn frames_address(header: &Range<u64>, bytes: &[u8]) -> Option<u64> {
    const RELATIVE_32: u8 = 0x1b;
    let [1, RELATIVE_32, _, _, a, b, c, d, ..] = *bytes else { return None };
    let offset = i32::from_le_bytes([a, b, c, d]);
    Some((header.start + 4).wrapping_add_signed(offset.into()))
}
