namespace KpiControl.Samples.Issuer;

/// <summary>Files for their owner's eyes, replaced whole: a reader sees the old text or the new, never a part.</summary>
internal static class PrivateFile
{
    public static void Write(string path, string text)
    {
        var partial = $"{path}.{Environment.ProcessId}";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

        using (var writer = new StreamWriter(new FileStream(partial, options)))
            writer.Write(text);
        File.Move(partial, path, overwrite: true);
    }
}
