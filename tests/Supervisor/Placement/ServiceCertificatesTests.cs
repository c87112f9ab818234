using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Time.Testing;
using Vks.Supervisor.Placement;

namespace Vks.Tests.Supervisor.Placement;

/// <summary>The certificates between scheduler and placement service.</summary>
public sealed class ServiceCertificatesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-").FullName;
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    [Fact]
    public void They_are_kept_and_made_anew_in_their_last_third()
    {
        ServiceCertificates files = new(_folder, _time);
        files.Ensure();
        string first = File.ReadAllText(files.SchedulerFile);

        files.Ensure();
        Assert.Equal(first, File.ReadAllText(files.SchedulerFile));

        string authority = File.ReadAllText(files.AuthorityFile);
        _time.Advance(TimeSpan.FromDays(250));
        files.Ensure();
        Assert.NotEqual(first, File.ReadAllText(files.SchedulerFile));
        Assert.Equal(authority, File.ReadAllText(files.AuthorityFile));
    }

    [Fact]
    public void Only_the_own_authority_is_trusted_and_keys_are_the_owners()
    {
        ServiceCertificates ours = new(_folder, _time);
        ours.Ensure();
        string otherFolder = Path.Combine(_folder, "other");
        ServiceCertificates other = new(otherFolder, _time);
        other.Ensure();
        using X509Certificate2 mine = X509Certificate2.CreateFromPem(File.ReadAllText(ours.SchedulerFile));
        using X509Certificate2 theirs = X509Certificate2.CreateFromPem(File.ReadAllText(other.SchedulerFile));

        Assert.True(ours.IsOurs(mine));
        Assert.False(ours.IsOurs(theirs));
        Assert.All(Directory.GetFiles(_folder, "*.key"), key => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key)));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
