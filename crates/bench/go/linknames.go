package main

import _ "unsafe" // for go:linkname

// What Go's benchmarks reach from inside its tree and the public interface does not offer.

//go:linkname semacquire sync.runtime_Semacquire
func semacquire(sema *uint32)

//go:linkname semrelease sync.runtime_Semrelease
func semrelease(sema *uint32, handoff bool, skipFrames int)

//go:linkname entersyscall runtime.entersyscall
func entersyscall()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()
