namespace KpiControl.Cli;

internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int UsageOrCancelled = 2;
    /// <summary>Of diff and plan --detailed-exitcode alone.</summary>
    public const int Differs = 3;
    public const int NotAuthenticated = 4;
}
