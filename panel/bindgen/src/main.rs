//! `hwc-panel-bindgen IN.wasm OUT_DIR NAME`: what `wasm-bindgen --target web` does, in the version
//! that Cargo.lock pins, so that the browser's half and its JavaScript can never disagree.
//!
//! Leaves `NAME.js` and `NAME_bg.wasm` in `OUT_DIR`. Called by `tools/build-panel.sh`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, out_dir, name] = arguments.as_slice() else {
        eprintln!("usage: hwc-panel-bindgen IN.wasm OUT_DIR NAME");
        return ExitCode::from(2);
    };
    match generate(Path::new(input), Path::new(out_dir), name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("hwc-panel-bindgen: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the module, writes the JavaScript and the module that goes with it.
fn generate(input: &Path, out_dir: &Path, name: &str) -> Result<(), String> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen
        .input_path(input)
        .web(true)
        .map_err(|error| format!("choose the web target: {error:#}"))?
        .typescript(false)
        .omit_default_module_path(true)
        // Names of functions are three quarters of an unoptimised module.
        .remove_name_section(true)
        .out_name(name);
    bindgen
        .generate(out_dir)
        .map_err(|error| format!("generate from {}: {error:#}", input.display()))
}
