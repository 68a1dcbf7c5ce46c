//! Paths opened to an instance. A granted file is opened through its directory, of which the guest sees that one name:
//! before the file exists, and after it was rotated. A granted directory is opened whole.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::types::{HostDescriptor, HostDirectoryEntryStream};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{DynOutputStream, FsError, FsResult};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};
use weir_core::model::{Fault, PathAccess, PathGrant};

use crate::appending::Appending;

type Names = BTreeMap<String, PathAccess>;

/// The names that may be seen of directories.
#[derive(Default)]
pub(crate) struct NamedFiles {
    /// By the order in which directories were opened; none for a directory granted whole.
    opened: Vec<Option<Names>>,
    /// By the guest's handle of the directory.
    handles: HashMap<u32, Names>,
    /// By the guest's handle of a listing of such a directory.
    listings: HashMap<u32, Names>,
}

/// Where a folder is, and the folder that no link on its way may lead out of.
type Place<'a> = (&'a Path, Option<&'a Path>);

/// Opens granted paths.
pub(crate) fn open(builder: &mut WasiCtxBuilder, grants: &[PathGrant]) -> Result<NamedFiles, Fault> {
    let mut whole: BTreeMap<Place<'_>, PathAccess> = BTreeMap::new();
    let mut named: BTreeMap<Place<'_>, Names> = BTreeMap::new();
    for grant in grants {
        let (path, access, ceiling) = (&grant.path, grant.access, grant.ceiling.as_deref());
        match open_folder((path, ceiling)) {
            Ok(_) => {
                let most = whole.entry((path, ceiling)).or_insert(access);
                *most = (*most).max(access);
                continue;
            }
            Err(Errno::XDEV) => return Err(leads_out(path, ceiling)),
            Err(_) => {} // no folder, or not yet
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| denied(path, "does not name a file"))?;
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let most = named.entry((folder, ceiling)).or_default().entry(name.to_owned()).or_insert(access);
        *most = (*most).max(access);
    }
    let mut files = NamedFiles::default();
    for (place, access) in whole {
        preopen(builder, place, access)?;
        files.opened.push(None);
    }
    for (place, names) in named {
        let access = names.values().copied().max().unwrap_or(PathAccess::Read);
        preopen(builder, place, access)?;
        files.opened.push(Some(names));
    }
    Ok(files)
}

/// Opens a folder; `XDEV` when a link on its way leads out of its ceiling. A ceiling that is the granted file itself
/// bounds nothing above it.
fn open_folder((folder, ceiling): Place<'_>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Some((ceiling, rest)) = ceiling.and_then(|ceiling| Some((ceiling, folder.strip_prefix(ceiling).ok()?))) else {
        return rustix::fs::open(folder, flags, Mode::empty());
    };
    let ceiling = rustix::fs::open(ceiling, flags, Mode::empty())?;
    let rest = if rest == Path::new("") { Path::new(".") } else { rest };
    rustix::fs::openat2(ceiling, rest, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
}

fn preopen(builder: &mut WasiCtxBuilder, place: Place<'_>, access: PathAccess) -> Result<(), Fault> {
    let perms = match access {
        PathAccess::Read => FsPerms::ReadOnly,
        PathAccess::Write => FsPerms::ReadWrite,
    };
    let (folder, ceiling) = place;
    let guest = folder.to_str().ok_or_else(|| denied(folder, "is not UTF-8"))?;
    let cannot = |error: &dyn std::fmt::Display| {
        denied(folder, &format!("cannot be opened by the worker, make it or name another: {error:#}"))
    };
    let opened = open_folder(place).map_err(|error| match error {
        Errno::XDEV => leads_out(folder, ceiling),
        error => cannot(&error),
    })?;
    // The very folder that was checked, whatever its name leads to by now.
    let checked = format!("/proc/self/fd/{}", opened.as_raw_fd());
    builder.preopened_dir(checked, guest, perms).map_err(|error| cannot(&error))?;
    Ok(())
}

fn leads_out(path: &Path, ceiling: Option<&Path>) -> Fault {
    let ceiling = ceiling.unwrap_or(Path::new("")).display();
    denied(
        path,
        &format!(
            "leads out of sandbox.path.ceiling ({ceiling}) by a link, or by an absolute one into it: name the file itself"
        ),
    )
}

fn denied(path: &Path, what: &str) -> Fault {
    Fault::Denied(format!("path {} {what}", path.display()))
}

/// WASI's files as a guest sees them.
pub(crate) struct FilesView<'a> {
    wasi: WasiFilesystemCtxView<'a>,
    names: &'a mut NamedFiles,
}

pub(crate) struct Files;

impl HasData for Files {
    type Data<'a> = FilesView<'a>;
}

impl<'a> FilesView<'a> {
    pub(crate) fn new(wasi: WasiFilesystemCtxView<'a>, names: &'a mut NamedFiles) -> FilesView<'a> {
        FilesView { wasi, names }
    }

    /// What may be done with `path` below a directory; none when all may be.
    fn access(&self, fd: &Resource<types::Descriptor>, path: &str) -> FsResult<Option<PathAccess>> {
        let Some(names) = self.names.handles.get(&fd.rep()) else { return Ok(None) };
        match names.get(path.strip_prefix("./").unwrap_or(path)) {
            Some(access) => Ok(Some(*access)),
            None => Err(types::ErrorCode::NotPermitted.into()),
        }
    }

    fn writable(&self, fd: &Resource<types::Descriptor>, path: &str) -> FsResult<()> {
        match self.access(fd, path)? {
            Some(PathAccess::Read) => Err(types::ErrorCode::NotPermitted.into()),
            Some(PathAccess::Write) | None => Ok(()),
        }
    }

    /// Links, folders and renames could make another name of a granted one: only in directories granted whole.
    fn whole(&self, fd: &Resource<types::Descriptor>) -> FsResult<()> {
        if self.names.handles.contains_key(&fd.rep()) {
            return Err(types::ErrorCode::NotPermitted.into());
        }
        Ok(())
    }

    /// A granted name is opened itself, not what a link of that name points to.
    fn follow(&self, fd: &Resource<types::Descriptor>, flags: types::PathFlags) -> types::PathFlags {
        if self.names.handles.contains_key(&fd.rep()) { types::PathFlags::empty() } else { flags }
    }
}

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<types::Descriptor>, String)>> {
        let directories = preopens::Host::get_directories(&mut self.wasi)?;
        for ((handle, _), names) in directories.iter().zip(&self.names.opened) {
            if let Some(names) = names {
                self.names.handles.insert(handle.rep(), names.clone());
            }
        }
        Ok(directories)
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<types::ErrorCode> {
        types::Host::convert_error_code(&mut self.wasi, error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        types::Host::filesystem_error_code(&mut self.wasi, error)
    }
}

/// Passes calls on as they are.
macro_rules! pass {
    ($($(#[$async:ident])? fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        $(async fn $name(&mut self, $($arg: $ty),*) -> $ret {
            HostDescriptor::$name(&mut self.wasi, $($arg),*).await
        })*
    };
}

type Fd = Resource<types::Descriptor>;

impl HostDescriptor for FilesView<'_> {
    pass! {
        fn advise(fd: Fd, offset: u64, len: u64, advice: types::Advice) -> FsResult<()>;
        fn sync_data(fd: Fd) -> FsResult<()>;
        fn sync(fd: Fd) -> FsResult<()>;
        fn get_flags(fd: Fd) -> FsResult<types::DescriptorFlags>;
        fn get_type(fd: Fd) -> FsResult<types::DescriptorType>;
        fn set_size(fd: Fd, size: u64) -> FsResult<()>;
        fn read(fd: Fd, len: u64, offset: u64) -> FsResult<(Vec<u8>, bool)>;
        fn write(fd: Fd, buffer: Vec<u8>, offset: u64) -> FsResult<u64>;
        fn stat(fd: Fd) -> FsResult<types::DescriptorStat>;
        fn metadata_hash(fd: Fd) -> FsResult<types::MetadataHashValue>;
    }

    async fn set_times(&mut self, fd: Fd, access: types::NewTimestamp, change: types::NewTimestamp) -> FsResult<()> {
        self.whole(&fd)?;
        self.wasi.set_times(fd, access, change).await
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<types::DirectoryEntryStream>> {
        let names = self.names.handles.get(&fd.rep()).cloned();
        let stream = self.wasi.read_directory(fd).await?;
        if let Some(names) = names {
            self.names.listings.insert(stream.rep(), names);
        }
        Ok(stream)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.whole(&fd)?;
        self.wasi.create_directory_at(fd, path).await
    }

    async fn stat_at(&mut self, fd: Fd, flags: types::PathFlags, path: String) -> FsResult<types::DescriptorStat> {
        self.access(&fd, &path)?;
        let flags = self.follow(&fd, flags);
        self.wasi.stat_at(fd, flags, path).await
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
        access: types::NewTimestamp,
        change: types::NewTimestamp,
    ) -> FsResult<()> {
        self.whole(&fd)?;
        self.wasi.set_times_at(fd, flags, path, access, change).await
    }

    async fn link_at(&mut self, fd: Fd, flags: types::PathFlags, from: String, to: Fd, name: String) -> FsResult<()> {
        self.whole(&fd)?;
        self.whole(&to)?;
        self.wasi.link_at(fd, flags, from, to, name).await
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
        open: types::OpenFlags,
        access: types::DescriptorFlags,
    ) -> FsResult<Fd> {
        if matches!(path.as_str(), "." | "./" | "")
            && !open.intersects(types::OpenFlags::CREATE | types::OpenFlags::TRUNCATE)
        {
            // The directory itself, to list it: seen through the same names.
            let names = self.names.handles.get(&fd.rep()).cloned();
            let again = self.wasi.open_at(fd, flags, ".".into(), open, access).await?;
            if let Some(names) = names {
                self.names.handles.insert(again.rep(), names);
            }
            return Ok(again);
        }
        let changes = open.intersects(types::OpenFlags::CREATE | types::OpenFlags::TRUNCATE)
            || access.intersects(types::DescriptorFlags::WRITE | types::DescriptorFlags::MUTATE_DIRECTORY);
        if changes {
            self.writable(&fd, &path)?;
        } else {
            self.access(&fd, &path)?;
        }
        let flags = self.follow(&fd, flags);
        // To open a named pipe is to wait for its other end, on a thread of the host that nothing calls back.
        let there = self.wasi.stat_at(Resource::new_borrow(fd.rep()), flags, path.clone()).await;
        if there.is_ok_and(|there| matches!(there.type_, types::DescriptorType::Fifo | types::DescriptorType::Unknown))
        {
            return Err(types::ErrorCode::Unsupported.into());
        }
        self.wasi.open_at(fd, flags, path, open, access).await
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.names.handles.remove(&fd.rep());
        HostDescriptor::drop(&mut self.wasi, fd)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        self.whole(&fd)?;
        self.wasi.readlink_at(fd, path).await
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.whole(&fd)?;
        self.wasi.remove_directory_at(fd, path).await
    }

    async fn rename_at(&mut self, fd: Fd, from: String, to: Fd, name: String) -> FsResult<()> {
        self.whole(&fd)?;
        self.whole(&to)?;
        self.wasi.rename_at(fd, from, to, name).await
    }

    async fn symlink_at(&mut self, fd: Fd, from: String, to: String) -> FsResult<()> {
        self.whole(&fd)?;
        self.wasi.symlink_at(fd, from, to).await
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.whole(&fd)?;
        self.wasi.unlink_file_at(fd, path).await
    }

    fn read_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<wasmtime_wasi::p2::DynInputStream>> {
        HostDescriptor::read_via_stream(&mut self.wasi, fd, offset)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        HostDescriptor::write_via_stream(&mut self.wasi, fd, offset)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        match self.wasi.table.get(&fd)? {
            Descriptor::File(file) if !file.perms.write_not_permitted() => {
                let stream: DynOutputStream = Box::new(Appending::to(file.file.clone()));
                Ok(self.wasi.table.push(stream)?)
            }
            // What may not be written to is refused by WASI.
            Descriptor::File(_) | Descriptor::Dir(_) => HostDescriptor::append_via_stream(&mut self.wasi, fd),
        }
    }

    async fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        self.wasi.is_same_object(a, b).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        self.access(&fd, &path)?;
        let flags = self.follow(&fd, flags);
        self.wasi.metadata_hash_at(fd, flags, path).await
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        let names = self.names.listings.get(&stream.rep());
        loop {
            let entry = self.wasi.read_directory_entry(Resource::new_borrow(stream.rep())).await?;
            match (&entry, names) {
                (Some(entry), Some(names)) if !names.contains_key(&entry.name) => {}
                _ => return Ok(entry),
            }
        }
    }

    fn drop(&mut self, stream: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.names.listings.remove(&stream.rep());
        HostDirectoryEntryStream::drop(&mut self.wasi, stream)
    }
}
