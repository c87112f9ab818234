using System.Globalization;
using System.Text.RegularExpressions;
using Vks.Tests.Kit;

namespace Vks.Tests.Repository;

/// <summary>An event id names one message for ever, so that operators can filter on it.</summary>
public sealed partial class LogEventTests
{
    /// <summary>Which hundreds belong to which folder.</summary>
    private static readonly (string Folder, int From, int To)[] s_ranges =
    [
        ("runtime/Machines/", 2000, 2099), ("runtime/Qmp/", 2100, 2199), ("runtime/Qemu/", 2200, 2299), ("runtime/Guest/", 2300, 2399),
        ("runtime/Host/", 2400, 2499), ("spherelet/Cri/", 3000, 3099), ("spherelet/Pods/", 3100, 3199), ("spherelet/Images/", 3200, 3299),
        ("spherelet/Streaming/", 3300, 3399), ("spherelet/Network/", 3400, 3499), ("spherelet/Node/", 3500, 3599), ("spherelet/Nri/", 3700, 3799), ("spherelet/Machines/", 3800, 3899), ("spherelet/Overhead/", 3900, 3999),
        ("spherelet/", 3600, 3699),
        ("supervisor/", 4000, 4999), ("images/agent/", 5000, 5999),
    ];

    [Fact]
    public void Every_log_message_has_an_id_of_its_own_in_its_folders_range()
    {
        Dictionary<int, string> owners = [];
        List<string> faults = [];

        foreach (string file in RepositoryRoot.SourceFiles("*.cs").Where(file => !file.StartsWith("tests/", StringComparison.Ordinal)))
        {
            foreach (Match match in LogMessage().Matches(File.ReadAllText(RepositoryRoot.Combine(file))))
            {
                int id = int.Parse(match.Groups["id"].Value, CultureInfo.InvariantCulture);
                (string Folder, int From, int To) range = s_ranges.FirstOrDefault(range => file.StartsWith(range.Folder, StringComparison.Ordinal));
                if (range.Folder is null || id < range.From || id > range.To)
                {
                    faults.Add($"{file}: event {id} is outside its folder's range {range.From} to {range.To}");
                }

                if (!owners.TryAdd(id, file))
                {
                    faults.Add($"{file}: event {id} is also used in {owners[id]}");
                }
            }
        }

        Assert.Empty(faults);
        Assert.NotEmpty(owners);
    }

    [GeneratedRegex(@"\[LoggerMessage\(\s*(?:EventId\s*=\s*)?(?<id>\d+)")]
    private static partial Regex LogMessage();
}
