// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen ko`: the kernel module itself.

use std::io::{self, IsTerminal as _};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use ufunc_gen::module::object::{self, Kernel, Sources};
use ufunc_gen::module::{Module, collision};
use ufunc_gen::output;

use crate::args::HostArgs;
use crate::{Purpose, complain, with_module};

/// Write the kernel module itself, for one kernel: no compiler, no headers, no Rust in the kernel
///
/// It declares what the module in Rust does, and is made in milliseconds. What it has to agree on
/// with its kernel is taken from the running kernel's types and from a module installed for it, or
/// from what the options name; what can be known from two places is compared.
#[derive(Args, Debug)]
#[command(after_long_help = HELP)]
pub(crate) struct KoArgs {
    #[command(flatten)]
    host: HostArgs,

    /// Write the module to FILE, whole or not at all; '-' is standard output, as is none
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// What the module is called once it is loaded
    #[arg(long, value_name = "NAME", default_value = object::DEFAULT_NAME)]
    name: String,

    /// Make it for the kernel whose packages were unpacked into DIR
    ///
    /// DIR has its modules (lib/modules/RELEASE) and its vmlinuz or vmlinux.
    #[arg(long, value_name = "DIR")]
    kernel_from: Option<PathBuf>,

    /// Make it for the kernel whose modules have this vermagic (modinfo -F vermagic MODULE)
    #[arg(long, value_name = "TEXT")]
    vermagic: Option<String>,

    /// Take the versions of that kernel's symbols from its Module.symvers
    #[arg(long, value_name = "FILE")]
    symvers: Option<PathBuf>,

    /// Append a signature by the private key in KEY, whose certificate is in CERT (both PEM)
    ///
    /// Kernels that enforce signatures load the module if they trust the certificate.
    #[arg(long, num_args = 2, value_names = ["KEY", "CERT"])]
    sign: Option<Vec<PathBuf>>,
}

const HELP: &str = "\
Without --kernel-from, --vmlinux and --vermagic the module is for the running kernel. For another
one, --kernel-from says all. Where there is no package, --vmlinux (its BTF, vmlinux or vmlinuz) and
--vermagic do, and --symvers if its modules have versions ('modversions' in vermagic).

Exit status:
  0  done
  2  an error; nothing was written

Examples:
  ufunc-gen ko ./app -o ufunc.ko && sudo insmod ufunc.ko
  ufunc-gen ko ./app --kernel-from unpacked/ -o ufunc.ko
  ufunc-gen ko ./app --vmlinux vmlinux --vermagic \"$(ssh host modinfo -F vermagic loop)\" \\
      --symvers Module.symvers -o ufunc.ko
  ufunc-gen ko ./app --sign MOK.priv MOK.pem -o ufunc.ko";

/// Runs `ufunc-gen ko`.
pub(crate) fn run(args: &KoArgs) -> Result<ExitCode> {
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    ensure!(
        output.is_some() || !io::stdout().is_terminal(),
        "a module is not written to a terminal; name a file with --output, or redirect standard output"
    );
    object::check_name(&args.name)?;
    let sources = args.sources();
    // What concerns the kernel is found while the application is read.
    let bytes = thread::scope(|scope| {
        let found = scope.spawn(|| Kernel::find(&sources));
        let check = move |names: &[String]| {
            let (kernel, vmlinux) = found.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            let names = names.iter().map(String::as_str);
            collision::check_btf(&vmlinux.btf()?, vmlinux.path(), names)?;
            Ok(kernel)
        };
        with_module(&args.host, Purpose::Object, check, |_, module, kernel| {
            make(args, module, &kernel?)
        })
    })?;
    match output {
        Some(path) => output::write_file(path, &bytes)?,
        None => output::write_stdout(&bytes)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl KoArgs {
    /// What is known of the kernel.
    fn sources(&self) -> Sources {
        Sources {
            package: self.kernel_from.clone(),
            vmlinux: self.host.vmlinux.clone(),
            vermagic: self.vermagic.clone(),
            symvers: self.symvers.clone(),
        }
    }
}

fn make(args: &KoArgs, module: &Module<'_>, kernel: &Kernel) -> Result<Vec<u8>> {
    if args.host.verbose {
        complain(&format!("for kernel {} ({})", kernel.release, kernel.arch));
    }
    let mut bytes = object::build(module, kernel, &args.name)?;
    if let Some([key, certificate]) = args.sign.as_deref() {
        object::sign(&mut bytes, key, certificate).context("nothing was written")?;
    }
    Ok(bytes)
}
