"""The sample's SQL, written out. Views select plain columns only, so that SQLite still knows their declared types."""

CREATE_TABLES = """
CREATE TABLE SA_ADInventory_Users (
  UserId INTEGER PRIMARY KEY, SamAccountName VARCHAR(64) NOT NULL, DisplayName NVARCHAR(200) NOT NULL,
  Mail VARCHAR(200), Department NVARCHAR(100), Title NVARCHAR(100), ManagerId INTEGER REFERENCES SA_ADInventory_Users,
  Enabled BOOLEAN NOT NULL, Created DATETIME NOT NULL, LastLogon DATETIME, BadLogonCount INTEGER NOT NULL
);
CREATE TABLE SA_ADInventory_Computers (
  ComputerId INTEGER PRIMARY KEY, HostName VARCHAR(64) NOT NULL UNIQUE, DnsName VARCHAR(200) NOT NULL,
  OperatingSystem VARCHAR(100) NOT NULL, IPv4Address VARCHAR(15), OwnerId INTEGER REFERENCES SA_ADInventory_Users,
  Enabled BOOLEAN NOT NULL, MemoryBytes BIGINT NOT NULL, LastLogon DATETIME
);
CREATE TABLE SA_ServiceAccounts (
  AccountId INTEGER PRIMARY KEY, AccountName VARCHAR(64) NOT NULL, Owner NVARCHAR(200), Department NVARCHAR(100),
  Enabled BOOLEAN NOT NULL, LastPasswordChange DATE
);
CREATE TABLE SA_SharePoint_Permissions (
  PermissionId INTEGER PRIMARY KEY, hostName VARCHAR(200) NOT NULL, url NVARCHAR(400) NOT NULL,
  trusteeName NVARCHAR(200) NOT NULL, trusteeType VARCHAR(10) NOT NULL, rights VARCHAR(40) NOT NULL,
  inherited BOOLEAN NOT NULL, grantedOn DATETIME
);
CREATE TABLE SA_Jobs_DiskUsage (
  JobRunTimeKey TEXT NOT NULL, HostName VARCHAR(64) NOT NULL, Volume VARCHAR(10) NOT NULL,
  TotalBytes BIGINT NOT NULL, FreeBytes BIGINT, FreePercent REAL, FileSystem VARCHAR(10),
  PRIMARY KEY (JobRunTimeKey, HostName, Volume)
);
CREATE TABLE SA_Jobs_OpenShares (
  JobRunTimeKey TEXT NOT NULL, HostName VARCHAR(64) NOT NULL, ShareName NVARCHAR(80) NOT NULL,
  LocalPath NVARCHAR(260) NOT NULL, TrusteeName NVARCHAR(200) NOT NULL, Rights VARCHAR(20) NOT NULL,
  FileCount INTEGER, MonthlyCost DECIMAL(12,2),
  PRIMARY KEY (JobRunTimeKey, HostName, ShareName)
);
CREATE TABLE SA_Activity_Events (
  EventId INTEGER PRIMARY KEY, HostId INTEGER NOT NULL, OccurredAt DATETIME NOT NULL, UserName NVARCHAR(200),
  Operation VARCHAR(10) NOT NULL, FilePath NVARCHAR(260), Bytes BIGINT, DurationMs REAL, Denied BOOLEAN NOT NULL,
  StorageCost DECIMAL(12,2)
);
"""

INSERT_USER = "INSERT INTO SA_ADInventory_Users VALUES (?,?,?,?,?,?,?,?,?,?,?)"
INSERT_COMPUTER = "INSERT INTO SA_ADInventory_Computers VALUES (?,?,?,?,?,?,?,?,?)"
INSERT_SERVICE_ACCOUNT = "INSERT INTO SA_ServiceAccounts VALUES (?,?,?,?,?,?)"
INSERT_PERMISSION = "INSERT INTO SA_SharePoint_Permissions VALUES (?,?,?,?,?,?,?,?)"
INSERT_DISK_USAGE = "INSERT INTO SA_Jobs_DiskUsage VALUES (?,?,?,?,?,?,?)"
INSERT_OPEN_SHARE = "INSERT INTO SA_Jobs_OpenShares VALUES (?,?,?,?,?,?,?,?)"
INSERT_EVENT = "INSERT INTO SA_Activity_Events VALUES (?,?,?,?,?,?,?,?,?,?)"

# After the rows: an index built once from sorted keys is several times cheaper than one kept up row by row.
CREATE_INDEXES_AND_VIEWS = """
CREATE INDEX SA_Activity_Events_HostId ON SA_Activity_Events (HostId);
CREATE INDEX SA_SharePoint_Permissions_hostName ON SA_SharePoint_Permissions (hostName);
CREATE VIEW SA_ADInventory_UsersView AS
  SELECT u.UserId, u.SamAccountName, u.DisplayName, u.Mail, u.Department, u.Title, m.DisplayName AS ManagerName,
         u.Enabled, u.Created, u.LastLogon
  FROM SA_ADInventory_Users u LEFT JOIN SA_ADInventory_Users m ON m.UserId = u.ManagerId;
CREATE VIEW SA_ADInventory_ComputersView AS
  SELECT c.ComputerId, c.HostName, c.DnsName, c.OperatingSystem, c.IPv4Address, u.DisplayName AS OwnerName,
         c.Enabled, c.MemoryBytes, c.LastLogon
  FROM SA_ADInventory_Computers c LEFT JOIN SA_ADInventory_Users u ON u.UserId = c.OwnerId;
"""

COUNT_ROWS = """
SELECT 'SA_ADInventory_Users', 'table', count(*) FROM SA_ADInventory_Users
UNION ALL SELECT 'SA_ADInventory_UsersView', 'view', count(*) FROM SA_ADInventory_UsersView
UNION ALL SELECT 'SA_ADInventory_Computers', 'table', count(*) FROM SA_ADInventory_Computers
UNION ALL SELECT 'SA_ADInventory_ComputersView', 'view', count(*) FROM SA_ADInventory_ComputersView
UNION ALL SELECT 'SA_ServiceAccounts', 'table', count(*) FROM SA_ServiceAccounts
UNION ALL SELECT 'SA_SharePoint_Permissions', 'table', count(*) FROM SA_SharePoint_Permissions
UNION ALL SELECT 'SA_Jobs_DiskUsage', 'table', count(*) FROM SA_Jobs_DiskUsage
UNION ALL SELECT 'SA_Jobs_OpenShares', 'table', count(*) FROM SA_Jobs_OpenShares
UNION ALL SELECT 'SA_Activity_Events', 'table', count(*) FROM SA_Activity_Events
"""
