using System.Security.Cryptography.X509Certificates;
using KpiControl.Control.Hosting;
using MailKit.Net.Smtp;
using MailKit.Security;
using Microsoft.Extensions.Options;
using MimeKit;

namespace KpiControl.Control.Alerts.Sending;

/// <summary>Mail over SMTP. The Message-ID is the message's own at each try: a mailbox that has it drops the second.</summary>
internal sealed class EmailSender(IOptions<AlertOptions> options) : IAlertSender
{
    public string Kind => "email";

    public async Task<SendOutcome> SendAsync(string name, IReadOnlyList<AlertFacts> group, CancellationToken token)
    {
        if (options.Value.Of(group[0].TenantId, channels => channels.Email) is not { } channel)
            return SendOutcome.NoChannel("Email");
        if (!MailboxAddress.TryParse(name, out var to))
            return new SendOutcome($"{name} is not a mail address", IsFinal: true);
        if (channel.Domains.Count > 0 && !channel.Domains.Contains(to.Domain, StringComparer.OrdinalIgnoreCase))
            return new SendOutcome($"mail goes to {string.Join(", ", channel.Domains)} only (Alerts:Channels:…:Email:Domains)", IsFinal: true);
        try
        {
            using var mail = Mail(channel, to, group);
            using var client = new SmtpClient { Timeout = (int)options.Value.Timeout.TotalMilliseconds };
            if (channel.CaFile.Length > 0)
                client.ServerCertificateValidationCallback = (_, certificate, _, _) => Trusts(channel, certificate);
            var socket = await CalledAddress.ConnectAsync(channel.Host, channel.Port, token);
            await client.ConnectAsync(socket, channel.Host, channel.Port, Security(channel.Security), token);
            if (channel.User.Length > 0)
                await client.AuthenticateAsync(channel.User, SecretReference.Read(channel.Password), token);
            await client.SendAsync(mail, token);
            await client.DisconnectAsync(quit: true, token);
            return SendOutcome.Sent;
        }
        // A server may repeat what it was sent, and this is kept with the message.
        catch (AuthenticationException)
        {
            return SendOutcome.Failed($"{channel.Host} refused the login of {channel.User}: look at its log");
        }
        catch (Exception error) when (error is SmtpCommandException or SmtpProtocolException or SslHandshakeException or IOException or System.Net.Sockets.SocketException)
        {
            return SendOutcome.Failed($"{error.GetType().Name}: {error.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static MimeMessage Mail(EmailChannel channel, MailboxAddress to, IReadOnlyList<AlertFacts> group)
    {
        var from = MailboxAddress.Parse(channel.From);
        var mail = new MimeMessage([from], [to], AlertText.Subject(group), new TextPart("plain") { Text = AlertText.Body(group) + "\n" })
        {
            MessageId = $"{group.MinBy(a => a.MessageId)!.MessageKey}@{from.Domain}", Date = group[0].CreatedAt,
        };
        // Mailboxes show an episode as one conversation.
        foreach (var incident in group.Select(a => a.IncidentKey).Distinct())
            mail.References.Add($"{incident}@{from.Domain}");
        mail.Headers.Add("Auto-Submitted", "auto-generated");
        return mail;
    }

    private static SecureSocketOptions Security(string word) => word switch
    {
        "tls" => SecureSocketOptions.SslOnConnect,
        "none" => SecureSocketOptions.None,
        _ => SecureSocketOptions.StartTls,
    };

    private static bool Trusts(EmailChannel channel, X509Certificate? certificate) =>
        certificate is X509Certificate2 server && server.MatchesHostname(channel.Host) && CertificateFile.VouchesFor(channel.CaFile, server);
}
