//! `bkbench report results/benchmarks`: the reports that `run` wrote, again, from the JSON in the folder
//! alone. For results that came from another machine, or from an older bkbench with another report.
//! Exit code 0 whatever the results are.

use crate::cli::ReportArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::summary::Summary;
use crate::{output, reports};

pub(crate) fn run(arguments: &ReportArgs) -> Result<Exit, Error> {
    if let Some(file) = &arguments.tables_of {
        reports::write_tables(file).map_err(Error::Report)?;
        output::text(&format!("written: {}", file.display()))?;
        return Ok(Exit::Pass);
    }
    let mut summaries = Vec::new();
    let mut written = Vec::new();
    for folder in &arguments.dirs {
        let (runs, files) = reports::write(folder).map_err(Error::Report)?;
        summaries.extend(runs.iter().map(|run| Summary::new(run, files.clone())));
        written.extend(files);
    }
    if arguments.json {
        output::json(&summaries)?;
    } else {
        for file in written {
            output::text(&format!("written: {}", file.display()))?;
        }
    }
    Ok(Exit::Pass)
}
