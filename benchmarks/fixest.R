# fixest in a process of its own: the same words as worker.py.
#     Rscript fixest.R poisson|gaussian FORMULA THREADS FRESH FOLDER WARM_FOLDER

library(fixest)

arguments <- commandArgs(trailingOnly = TRUE)
family <- arguments[1]
formula <- as.formula(arguments[2])
threads <- as.integer(arguments[3])
fresh <- arguments[4] == "1"

read_frame <- function(folder) {
  kinds <- read.table(file.path(folder, "columns.txt"), col.names = c("name", "kind"))
  columns <- Map(function(name, kind) {
    path <- file.path(folder, paste0(name, ".bin"))
    readBin(path, if (kind == "f") "double" else "integer", n = file.size(path) / 8, size = 8)
  }, kinds$name, kinds$kind)
  frame <- as.data.frame(columns)
  if (family == "gaussian") {
    frame <- frame[frame$trade > 0, ]
    frame$log_trade <- log(frame$trade)
  }
  frame
}

# by pair with G/(G-1) alone; the arguments were renamed in fixest 0.13
correction <- if ("K.adj" %in% names(formals(ssc))) {
  ssc(K.adj = FALSE, G.adj = TRUE)
} else {
  ssc(adj = FALSE, cluster.adj = TRUE)
}

estimate <- function(frame) {
  if (family == "poisson") {
    fepois(formula, data = frame, vcov = ~pair, ssc = correction, nthreads = threads, lean = TRUE, notes = FALSE,
           fixef.tol = 1e-8, glm.tol = 1e-8)
  } else {
    feols(formula, data = frame, vcov = ~pair, ssc = correction, nthreads = threads, lean = TRUE, notes = FALSE,
          fixef.tol = 1e-8)
  }
}

# resident and peak memory in MB, where Linux tells them
memory <- function(field) {
  if (!file.exists("/proc/self/status")) return(NA)
  line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

numbers <- function(values) paste0("[", paste(sprintf("%.17g", values), collapse = ", "), "]")
say <- function(...) {
  cat(sprintf(...), "\n", sep = "")
  flush(stdout())
}

if (!fresh) invisible(estimate(read_frame(arguments[6])))
started <- proc.time()[["elapsed"]]
frame <- read_frame(arguments[5])
reading <- proc.time()[["elapsed"]] - started
invisible(gc())
held <- memory("VmRSS")
say('{"version": "%s", "reading": %.6f}', as.character(packageVersion("fixest")), reading)

words <- file("stdin", "r")
while (identical(readLines(words, n = 1), "run")) {
  invisible(gc())
  if (file.exists("/proc/self/clear_refs")) try(cat("5", file = "/proc/self/clear_refs"), silent = TRUE)
  started <- Sys.time()
  found <- estimate(frame)
  seconds <- as.numeric(Sys.time() - started, units = "secs")
  peak <- memory("VmHWM") - held
  say('{"seconds": %.6f, "memory": %s, "n": %d, "coefficients": %s, "errors": %s}', seconds,
      if (is.na(peak)) "null" else sprintf("%.3f", peak), as.integer(found$nobs), numbers(coef(found)), numbers(se(found)))
}
