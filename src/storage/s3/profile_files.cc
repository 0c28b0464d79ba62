#include <fstream>
#include <optional>

#include "storage/s3/credentials.h"

namespace tarn::storage::internal {

namespace {

constexpr int64_t kProfileAgeSeconds = 5 * 60;
using Settings = std::map<std::string, std::string>;

std::string Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1));
}

std::string FileOf(const Environment& environment, std::string_view variable, std::string_view below_home) {
  const std::string_view named = ValueOf(environment, variable);
  if (!named.empty()) return std::string(named);
  const std::string_view home = ValueOf(environment, "HOME");
  return home.empty() ? std::string() : std::string(home) + "/.aws/" + std::string(below_home);
}

/// Adds the settings of the section to `settings`; true when the file has it. Indented lines belong to settings of
/// several levels, which we do not use.
bool ReadSection(const std::string& path, const std::string& section, Settings& settings) {
  std::ifstream file(path);
  std::string line;
  bool inside = false;
  bool found = false;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#' || line[0] == ';' || line[0] == ' ' || line[0] == '\t') continue;
    if (line[0] == '[') {
      inside = Trimmed(line.substr(1, line.find(']') - 1)) == section;
      found = found || inside;
      continue;
    }
    const size_t equals = line.find('=');
    if (inside && equals != std::string::npos)
      settings[Trimmed(line.substr(0, equals))] = Trimmed(line.substr(equals + 1));
  }
  return found;
}

std::string ProfileName(const Environment& environment) {
  const std::string_view named = ValueOf(environment, "AWS_PROFILE");
  return named.empty() ? "default" : std::string(named);
}

class ProfileSource final : public CredentialSource {
 public:
  ProfileSource(const Environment& environment, Clock& clock) : environment_(environment), clock_(clock) {}

  Result<std::optional<Credentials>> Load() override {
    TARN_ASSIGN_OR_RETURN(const Settings settings, LoadProfile(environment_));
    const auto setting = [&](const char* name) {
      const auto found = settings.find(name);
      return found == settings.end() ? std::string() : found->second;
    };
    Credentials credentials{.access_key_id = setting("aws_access_key_id"),
                            .secret_access_key = setting("aws_secret_access_key"),
                            .session_token = setting("aws_session_token")};
    const std::string profile = "the AWS profile '" + ProfileName(environment_) + "'";
    if (credentials.access_key_id.empty() != credentials.secret_access_key.empty()) {
      return Status::Unauthenticated(profile + " has one of aws_access_key_id and aws_secret_access_key only");
    }
    if (!credentials.access_key_id.empty()) {
      // Other tools write new keys into the file before the old ones expire.
      credentials.expires_at = clock_.WallMicros() / kMicrosPerSecond + 2 * kProfileAgeSeconds;
      return std::optional(std::move(credentials));
    }
    for (const char* way : {"credential_process", "sso_session", "sso_start_url", "source_profile"}) {
      if (settings.contains(way)) return Status::Unsupported(profile + " gets its keys by " + way);
    }
    return std::optional<Credentials>();
  }

 private:
  const Environment environment_;
  Clock& clock_;
};

}  // namespace

Result<std::map<std::string, std::string>> LoadProfile(const Environment& environment) {
  const std::string name = ProfileName(environment);
  Settings settings;
  const std::string config = FileOf(environment, "AWS_CONFIG_FILE", "config");
  bool found = ReadSection(config, name == "default" ? name : "profile " + name, settings);
  found = ReadSection(FileOf(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials"), name, settings) || found;
  if (!found && !ValueOf(environment, "AWS_PROFILE").empty()) {
    return Status::NotFound("there is no AWS profile '" + name + "'");
  }
  return settings;
}

std::unique_ptr<CredentialSource> ProfileCredentials(const Environment& environment, Clock& clock) {
  return std::make_unique<ProfileSource>(environment, clock);
}

}  // namespace tarn::storage::internal
