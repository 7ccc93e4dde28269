"""Tables and plots of runs and of papers: Markdown, LaTeX and one HTML page, rendered from the files of runs."""

from janus_bench.report.write import write_report as write_report
