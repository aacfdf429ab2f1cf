using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;

namespace KpiControl.Control.Certificates;

/// <summary>Who signs agents' certificates.</summary>
internal sealed class CaOptions : IValidatableObject
{
    public const string Section = "Ca";

    /// <summary>PEM: the authorities whose certificates agents may show; the one whose key is at hand among them.</summary>
    public string CertificateFile { get; set; } = "";

    /// <summary>PEM: the key that signs. Empty: an outside authority signs, and nobody enrols here.</summary>
    public string KeyFile { get; set; } = "";

    /// <summary>Of an agent's certificate.</summary>
    [Range(typeof(TimeSpan), "00:00:02", "30.00:00:00")]
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromHours(24);

    /// <summary>An agent that was cut off may renew a certificate that expired this long ago.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "30.00:00:00")]
    public TimeSpan RenewableFor { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How far the clocks of this node and of the database may differ.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromMinutes(1);

    public bool HasAuthorities => CertificateFile.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (KeyFile.Length > 0 && !HasAuthorities)
            yield return new ValidationResult("Ca:KeyFile has no certificate: set Ca:CertificateFile too");
        foreach (var file in new[] { CertificateFile, KeyFile }.Where(f => f.Length > 0 && !File.Exists(f)))
            yield return new ValidationResult($"Ca: the file '{file}' does not exist");
        if (KeyFile.Length > 0 && File.Exists(KeyFile) && Hosting.KeyFile.IsOpenToOthers(KeyFile))
            yield return new ValidationResult($"Ca:KeyFile '{KeyFile}' is open to every user of this machine: whoever reads it can make agents. chmod 600 it");
        else if (HasAuthorities && Problem() is { } problem)
            yield return new ValidationResult(problem);
    }

    private string? Problem()
    {
        try
        {
            CertificateAuthority.Load(this).Dispose();
            return null;
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            return File.Exists(CertificateFile) && (KeyFile.Length == 0 || File.Exists(KeyFile)) ? $"Ca: {error.Message.ReplaceLineEndings(" ")}" : null;
        }
    }
}
