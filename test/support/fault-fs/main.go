// fault-fs shows a folder under another path, and fails as a file tells it to:
//
//	fault-fs FOLDER MOUNTPOINT FAULTFILE [TYPE]
//
// FAULTFILE holds one word, read before every operation: nothing or "none"; "hang" (no operation is answered until the
// word changes), "hang-read" and "hang-write" (of a file's bytes); "EIO", "EDQUOT", "ENOSPC", "EROFS" (for writes);
// "EIO-read"; "no-links" (as of vfat); "folding" (names are found whatever their case, and kept in small letters). The
// mount's type is fuse.TYPE, or fuse.fault-fs. It says "mounted" when it is ready, and unmounts when its standard input
// ends.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

type faulty struct {
	fuse.RawFileSystem
	faultFile string
}

func (f *faulty) fault() string {
	text, err := os.ReadFile(f.faultFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// gate waits while the file says "hang", or what is given for it.
func (f *faulty) gate(also ...string) {
	for fault := f.fault(); fault == "hang" || slices.Contains(also, fault); fault = f.fault() {
		time.Sleep(20 * time.Millisecond)
	}
}

// named is the name that the folder behind has for it.
func (f *faulty) named(name string) string {
	if f.fault() == "folding" {
		return strings.ToLower(name)
	}
	return name
}

var writeFaults = map[string]fuse.Status{
	"EIO":    fuse.Status(syscall.EIO),
	"EDQUOT": fuse.Status(syscall.EDQUOT),
	"ENOSPC": fuse.Status(syscall.ENOSPC),
	"EROFS":  fuse.Status(syscall.EROFS),
}

func (f *faulty) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	f.gate()
	return f.RawFileSystem.Lookup(cancel, header, f.named(name), out)
}

func (f *faulty) GetAttr(cancel <-chan struct{}, input *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	f.gate()
	return f.RawFileSystem.GetAttr(cancel, input, out)
}

func (f *faulty) StatFs(cancel <-chan struct{}, input *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	f.gate()
	return f.RawFileSystem.StatFs(cancel, input, out)
}

func (f *faulty) Open(cancel <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	f.gate()
	status := f.RawFileSystem.Open(cancel, input, out)
	out.OpenFlags = withoutShortcuts(out.OpenFlags)
	return status
}

func (f *faulty) Create(cancel <-chan struct{}, input *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	f.gate()
	status := f.RawFileSystem.Create(cancel, input, f.named(name), out)
	out.OpenFlags = withoutShortcuts(out.OpenFlags)
	return status
}

// withoutShortcuts has every byte go through here: neither the kernel's cache nor the file behind answers instead.
func withoutShortcuts(flags uint32) uint32 {
	return flags&^fuse.FOPEN_PASSTHROUGH | fuse.FOPEN_DIRECT_IO
}

func (f *faulty) OpenDir(cancel <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	f.gate()
	return f.RawFileSystem.OpenDir(cancel, input, out)
}

func (f *faulty) Read(cancel <-chan struct{}, input *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	f.gate("hang-read")
	if f.fault() == "EIO-read" {
		return nil, fuse.Status(syscall.EIO)
	}
	return f.RawFileSystem.Read(cancel, input, buf)
}

func (f *faulty) Write(cancel <-chan struct{}, input *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	f.gate("hang-write")
	if status, isFault := writeFaults[f.fault()]; isFault {
		return 0, status
	}
	return f.RawFileSystem.Write(cancel, input, data)
}

func (f *faulty) Symlink(cancel <-chan struct{}, header *fuse.InHeader, target string, name string, out *fuse.EntryOut) fuse.Status {
	f.gate()
	if f.fault() == "no-links" {
		return fuse.EPERM
	}
	return f.RawFileSystem.Symlink(cancel, header, target, f.named(name), out)
}

func (f *faulty) Mkdir(cancel <-chan struct{}, input *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	f.gate()
	return f.RawFileSystem.Mkdir(cancel, input, f.named(name), out)
}

func (f *faulty) Rename(cancel <-chan struct{}, input *fuse.RenameIn, oldName string, newName string) fuse.Status {
	f.gate()
	return f.RawFileSystem.Rename(cancel, input, f.named(oldName), f.named(newName))
}

func (f *faulty) Unlink(cancel <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	f.gate()
	return f.RawFileSystem.Unlink(cancel, header, f.named(name))
}

func (f *faulty) Rmdir(cancel <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	f.gate()
	return f.RawFileSystem.Rmdir(cancel, header, f.named(name))
}

func main() {
	root, err := fs.NewLoopbackRoot(os.Args[1])
	fail(err)
	kind := "fault-fs"
	if len(os.Args) > 4 {
		kind = os.Args[4]
	}
	zero := time.Duration(0)
	options := &fs.Options{EntryTimeout: &zero, AttrTimeout: &zero, NegativeTimeout: &zero}
	raw := &faulty{fs.NewNodeFS(root, options), os.Args[3]}
	server, err := fuse.NewServer(raw, os.Args[2], &fuse.MountOptions{
		DirectMountStrict: true,
		FsName:            "fault-fs",
		Name:              kind,
		AllowOther:        true,
	})
	fail(err)
	go server.Serve()
	fail(server.WaitMount())
	fmt.Println("mounted")
	io.Copy(io.Discard, os.Stdin)
	syscall.Unmount(os.Args[2], syscall.MNT_DETACH)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
