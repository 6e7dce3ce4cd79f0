"""The sample's declared procedures, by name. They lie in a home, not in the database."""

from pathlib import Path

PROCEDURES = {
    "SA_HostExposure": """\
-- title: How exposed hosts are
-- description: What one trustee may reach in the shares of each host, and its fullest volume, in the newest run.
-- parameter: hosts table(name text) -- none: every host
-- parameter: trustee text default Everyone
-- parameter: least_files integer default 0 -- in the shares of a host
WITH shares AS (
  SELECT HostName, count(*) AS Shares, sum(FileCount) AS Files, group_concat(DISTINCT Rights) AS Rights
  FROM SA_Jobs_OpenShares
  WHERE JobRunTimeKey = (SELECT max(JobRunTimeKey) FROM SA_Jobs_OpenShares) AND TrusteeName = :trustee
  GROUP BY HostName
), disks AS (
  SELECT HostName, min(FreePercent) AS LeastFreePercent
  FROM SA_Jobs_DiskUsage
  WHERE JobRunTimeKey = (SELECT max(JobRunTimeKey) FROM SA_Jobs_DiskUsage)
  GROUP BY HostName
)
SELECT HostName, Shares, Files, Rights, LeastFreePercent
FROM shares LEFT JOIN disks USING (HostName)
WHERE Files >= :least_files
  AND (HostName IN (SELECT name FROM :hosts) OR NOT EXISTS (SELECT * FROM :hosts))
ORDER BY Files DESC;
""",
}


def write_procedures(folder: Path) -> tuple[str, ...]:
    """Put the sample's procedures into a folder, which is made if it is not there; give their names.

    Raises:
        OSError: The folder or a file cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in PROCEDURES.items():
        (folder / f"{name}.sql").write_text(text, "utf-8")
    return tuple(PROCEDURES)
