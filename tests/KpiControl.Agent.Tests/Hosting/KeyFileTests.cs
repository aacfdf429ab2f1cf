using System.ComponentModel.DataAnnotations;
using KpiControl.Agent.ControlPlane;
using KpiControl.Agent.Outbox;

namespace KpiControl.Agent.Tests.Hosting;

/// <summary>What proves who the agent is must be the agent's alone.</summary>
public sealed class KeyFileTests : IDisposable
{
    private readonly string file = Path.GetTempFileName();

    public KeyFileTests() => File.WriteAllText(file, "canary-5c");

    public void Dispose() => File.Delete(file);

    [Theory]
    [InlineData("key")]
    [InlineData("token")]
    [InlineData("enrolment")]
    public void A_file_that_every_user_can_read_is_refused_at_start(string what)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Modes are for Unix.");
        var options = new ControlPlaneOptions { Address = "https://control.example.com" };
        switch (what)
        {
            case "key": (options.CertificateFile, options.CertificateKeyFile) = (file, file); break;
            case "token": options.Token = $"file:{file}"; break;
            default: (options.EnrolmentToken, options.EnrolmentAddress) = ($"file:{file}", "https://control.example.com:7400"); break;
        }
        SetMode(UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Empty(options.Validate(new ValidationContext(options)));
        SetMode(UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Contains("is open to every user of this machine", Assert.Single(options.Validate(new ValidationContext(options))).ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_that_was_opened_to_everybody_later_is_not_sent()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Modes are for Unix.");
        SetMode(UnixFileMode.UserRead);
        Assert.Equal(("canary-5c", ""), BearerToken.Read($"file:{file}"));
        SetMode(UnixFileMode.UserRead | UnixFileMode.OtherRead);
        var (token, problem) = BearerToken.Read($"file:{file}");
        Assert.Null(token);
        Assert.Contains("chmod 600", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void An_outbox_that_the_agent_makes_is_its_own()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Modes are for Unix.");
        var parent = Directory.CreateTempSubdirectory("kpi-outbox-");
        var path = Path.Combine(parent.FullName, "outbox");
        OutboxDirectory.Open(path).Dispose();
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(path));
        parent.Delete(recursive: true);
    }

    private void SetMode(UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, mode | UnixFileMode.UserWrite);
    }
}
