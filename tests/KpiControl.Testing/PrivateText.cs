namespace KpiControl.Testing;

/// <summary>Tokens and keys of a test, where the product takes them from: in files that nobody else may read.</summary>
public static class PrivateText
{
    public static void Write(string path, string text)
    {
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
