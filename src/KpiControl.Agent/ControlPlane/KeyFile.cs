namespace KpiControl.Agent.ControlPlane;

/// <summary>Files that prove who the agent is.</summary>
internal static class KeyFile
{
    private const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Whether every user of this machine may do something with the file, which must be there.</summary>
    public static bool IsOpenToOthers(string path) => !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != 0;
}
